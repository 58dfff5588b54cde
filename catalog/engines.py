"""Serving engines as the arithmetic sees them: what one step costs beside its kernels, and how memory is divided."""

import re
from collections.abc import Mapping
from pathlib import Path

from catalog.parts import Frozen


class Engine(Frozen):
    """Fixed times and memory rules of one engine era.

    A step takes kernel_scale·kernels + step_s + sequence_s·sequences (+ layer_s per layer when tensor parallel), and
    its kernels never less than the host needs to launch them: eager_layer_s per layer on a host of PCIe 5 or newer,
    older_host_factor times that on an older one, 0 where the engine replays them from CUDA graphs. A FLOP of a product
    takes no less than product_flop_s, 0 where products are tuned to the part, and decode attention reads the cache once
    for each KV head, or, with `cache_read_per_query_head`, once for each query head.
    With `shared_experts_overlap` shared experts run on a stream beside the routed ones: their launches are not felt.
    A prompt adds prefill_factor·(its kernels) + prefill_event_s. `interference` is the share of other requests'
    prefills that a decoding request waits for. The first token of a closed loop takes host_s + own_prefill_factor·(own
    prefill) + extra_steps·step (attention_dp_steps more where attention is data parallel and ranks wait for each
    other's prompts) + burst_share·(the start-up burst) + what `waiting_clients` of its clients wait for a place, 0
    unless the user's own runs say so; with open arrivals only host time and the factor apply.
    `memory_fraction` of the memory is the engine's; overhead_bytes of it hold activations, graphs and the runtime, and
    the KV cache takes `cache_fraction` of what they and the weights leave.
    `library` names the all-reduce rows of the efficiency tables that are this engine's own. An era begins with
    `first_version` and ends where the next of its library begins; without one it is a build for other parts, and only
    its own name means it.
    """

    id: str
    label: str
    library: str
    kernel_scale: float
    step_s: float
    sequence_s: float
    layer_s: float
    eager_layer_s: float
    older_host_factor: float
    product_flop_s: float
    cache_read_per_query_head: bool
    shared_experts_overlap: bool
    prefill_factor: float
    prefill_event_s: float
    interference: float
    host_s: float
    own_prefill_factor: float
    extra_steps: float
    attention_dp_steps: float
    burst_share: float
    waiting_clients: float
    memory_fraction: float
    cache_fraction: float
    overhead_bytes: float
    kv_block_tokens: int
    prefill_chunk_tokens: int
    first_version: str
    source: str
    as_of: str
    notes: str = ""


def engine_of(engines: Mapping[str, Engine], name: str, version: str) -> Engine:
    """The era that engine `name` of a version belongs to: `name` itself if the version is empty or not a number.

    An era without a first version is itself at every version, and no version of another name means it.

    Raises KeyError for an unknown name.
    """
    named = engines[name]
    number = version_number(version)
    if not number or not named.first_version:
        return named
    eras = sorted(
        (version_number(engine.first_version), engine.id)
        for engine in engines.values()
        if engine.library == named.library and engine.first_version
    )
    begun = [era for first, era in eras if first <= number]
    return engines[begun[-1] if begun else eras[0][1]]


def version_number(text: str) -> tuple[int, ...]:
    """Leading numbers of a version: (0, 5, 3) for "0.5.3.post1", (1,) for "1.0.0rc3", () if there is none."""
    leading = re.match(r"\s*v?(\d{1,9}(?:\.\d{1,9})*)", text)
    numbers = [] if leading is None else [int(part) for part in leading.group(1).split(".")]
    while numbers and numbers[-1] == 0 and len(numbers) > 1:
        numbers.pop()
    return tuple(numbers)


def read_authored(data_dir: Path) -> dict[str, Engine]:
    """Read `data_dir/engines.yaml`; pydantic errors name what is wrong with an entry."""
    import yaml  # a run loads the compiled snapshot and never needs the parser

    entries = yaml.safe_load((data_dir / "engines.yaml").read_text(encoding="utf-8"))
    return {name: _engine(name, dict(fields)) for name, fields in entries.items()}


def _engine(name: str, fields: dict[str, float | int | str]) -> Engine:
    """Turn the authored units (`*_ms`, `*_us`, `*_gb`) into SI."""
    scaled: dict[str, float | int | str] = {"id": name}
    for key, value in fields.items():
        stem, _, unit = key.rpartition("_")
        if unit in _UNITS:
            suffix, numerator, denominator = _UNITS[unit]
            scaled[stem + suffix] = float(value) * numerator / denominator
        else:
            scaled[key] = value
    return Engine.model_validate(scaled)


# suffix in SI, numerator, denominator: dividing by a power of ten rounds correctly, multiplying by its inverse does not
_UNITS = {"fs": ("_s", 1.0, 1e15), "ms": ("_s", 1.0, 1e3), "us": ("_s", 1.0, 1e6), "gb": ("_bytes", 1e9, 1.0)}
