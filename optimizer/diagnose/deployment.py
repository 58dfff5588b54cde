"""A launch command on a machine under a load, as a case of the prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, log

from catalog.engines import Engine
from catalog.formats import FormatRefusal, NumberFormat, formats_supported, resolve
from catalog.models import Model
from catalog.parts import Accelerator
from optimizer.additions import Additions
from optimizer.diagnose.launch import DataParallel, Launch, LaunchError, MemoryRule
from optimizer.diagnose.machine import Machine
from optimizer.diagnose.models import named_model
from optimizer.diagnose.wording import layout_name
from optimizer.predict.cases import Case, Unsupported, read_case
from optimizer.topology.format_choices import DEFAULT_KV, own_format
from optimizer.topology.layouts import ParallelLayout, model_refusal

# Weights that a part cannot multiply natively are widened to bf16 by the kernel that reads them, as int4 always is.
WEIGHT_ONLY = "int4"
NOT_NATIVE = frozenset({FormatRefusal.NO_FP8, FormatRefusal.NO_FP4, FormatRefusal.NO_INT8})


@dataclass(frozen=True)
class Stated:
    """The load: mean tokens of a request, and clients or arrivals of the whole deployment (neither: all at once).

    requests: of the whole run, where one was measured.
    """

    prompt_tokens: float = 1000.0
    output_tokens: float = 500.0
    concurrency: float | None = None
    rate_per_s: float | None = None
    requests: float | None = None
    lengths_stated: bool = True


@dataclass(frozen=True)
class Assumption:
    """What the command does not say, what was taken, and why."""

    key: str
    value: str
    why: str


@dataclass(frozen=True)
class NotNative:
    """A format that the part does not compute in; `stands_for` is what was predicted in its place."""

    asked: str
    stands_for: str
    reason: str


@dataclass(frozen=True)
class Command:
    """A launch command on a machine under a load, with the layout and the number of replicas still open.

    `model_name` is the name under which the additions hold the model, `formats` the cells that name its formats.
    """

    launch: Launch
    machine: Machine
    load: Stated
    model_name: str
    formats: Mapping[str, str]
    additions: Additions
    engine_version: str

    def case(self, layout: ParallelLayout, replicas: int, formats: Mapping[str, str] | None = None) -> Case:
        """The case with a layout, so many replicas, and the command's formats or others; raises Unsupported."""
        accelerator, load = self.machine.accelerator, self.load
        cells = {
            "case_id": "command",
            "model": self.model_name,
            "accelerator": accelerator.id,
            "accelerators": str(layout.accelerators * replicas),
            "engine": self.launch.engine,
            "engine_version": self.engine_version,
            "tp": str(layout.tp),
            "pp": str(layout.pp),
            "ep": str(layout.ep),
            "dp_attention": str(layout.dp_attention),
            "prompt_tokens": repr(load.prompt_tokens),
            "output_tokens": repr(load.output_tokens),
            "concurrency": "" if load.concurrency is None else repr(load.concurrency),
            "request_rate": "" if load.rate_per_s is None else repr(load.rate_per_s),
            "requests": "" if load.requests is None else repr(load.requests),
            "internode_bytes_per_s": repr(accelerator.pcie_bytes_per_s),
            **(formats or self.formats),
        }
        case = read_case(cells, self.additions, self.machine.per_host)
        engine = _with_limits(case.row.engine, self.launch, accelerator)
        seats = inf if self.launch.max_num_seqs is None else float(self.launch.max_num_seqs)
        if self.launch.seats_per_group:
            seats *= layout.dp_attention
        return replace(case, row=replace(case.row, engine=engine), slots=seats)


@dataclass(frozen=True)
class Deployment:
    """The case that a command stands for, and what was made of the command to get it.

    `weights` and `kv` are the names of the formats asked for, `copies` the replicas that one server runs.
    """

    command: Command
    case: Case
    layout: ParallelLayout
    copies: int
    weights: str
    kv: str
    not_native: tuple[NotNative, ...]
    assumed: tuple[Assumption, ...]

    @property
    def spans_hosts(self) -> bool:
        """Whether a tensor-parallel group leaves its host."""
        return self.layout.tp > self.command.machine.domain


@dataclass(frozen=True)
class _Formats:
    """Formats asked for, and the cells and the format that stand for them."""

    weights: str
    kv: str
    cells: Mapping[str, str]
    added: NumberFormat | None
    not_native: tuple[NotNative, ...]


def read_deployment(
    launch: Launch, machine: Machine, load: Stated, additions: Additions, engine_version: str, servers: int | None
) -> Deployment:
    """Put a command on a machine.

    Args:
        launch: the command.
        machine: where it runs.
        load: what arrives at all servers together.
        additions: the catalog, to which the command may bring a model.
        engine_version: of the engine; empty for the current one.
        servers: how often the command runs; None: once, or as often as fits if it is one pool of several.

    Raises:
        LaunchError: the layout does not fit the model or the machine, with the nearest one that does.
        CatalogError, QuestionError, ValueProblem: an unknown model.

    """
    named = named_model(launch.model, additions)
    model = named.model
    assumed = []
    if named.interpreted:
        assumed.append(Assumption("model", model.id, f"the last part of {launch.model}"))
    layout, copies = layout_of(launch, model)
    _check_layout(model, layout, machine)
    running = _servers(layout, copies, machine, launch, servers)
    if servers is None and running > 1:
        assumed.append(Assumption("servers", str(running), "pools are predicted as if every server did both"))
    formats = _formats(launch, model, named.weights, machine.accelerator, additions.snapshot.formats)
    if formats.added is not None:
        known = {**additions.snapshot.formats, formats.added.id: formats.added}
        additions.snapshot = additions.snapshot.model_copy(update={"formats": known})
    _check_load(launch, model, load, running * copies)
    if layout.tp > machine.domain:
        path = f"{machine.accelerator.pcie_bytes_per_s / 1e9:g} GB/s"
        why = "a group over hosts counts over each accelerator's PCIe, which its network card stands on"
        assumed.append(Assumption("network", path, why))
    command = Command(launch, machine, load, named.name, formats.cells, additions, engine_version)
    try:
        case = command.case(layout, running * copies)
    except Unsupported as reason:
        raise LaunchError(str(reason)) from None
    return Deployment(
        command=command,
        case=case,
        layout=layout,
        copies=copies,
        weights=formats.weights,
        kv=formats.kv,
        not_native=formats.not_native,
        assumed=(*assumed, *_assumed(launch, load)),
    )


def layout_of(launch: Launch, model: Model) -> tuple[ParallelLayout, int]:
    """Layout of one replica and how many replicas one server runs."""
    tp, groups, copies = launch.tp, launch.attention_groups, launch.data_parallel
    shared = launch.data_parallel_means is DataParallel.ATTENTION_OF_EXPERT_MODELS and model.experts > 0
    if shared and copies > 1:
        tp, groups, copies = tp * copies, copies, 1
    ep = tp if launch.expert_parallel is None else launch.expert_parallel
    return ParallelLayout(tp=tp, pp=launch.pp, ep=ep if model.experts else 1, dp_attention=groups), copies


def _with_limits(engine: Engine, launch: Launch, accelerator: Accelerator) -> Engine:
    """The engine with the limits that the command states."""
    limits: dict[str, float | int] = {}
    if launch.max_num_batched_tokens is not None:
        limits["prefill_chunk_tokens"] = launch.max_num_batched_tokens
    if launch.memory is not None:
        match launch.memory.rule:
            case MemoryRule.WHOLE:
                limits["memory_fraction"] = launch.memory.share
            case MemoryRule.STATIC:
                limits["memory_fraction"] = launch.memory.share + engine.overhead_bytes / accelerator.memory_bytes
            case MemoryRule.FREE:
                limits["cache_fraction"] = launch.memory.share
    return engine.model_copy(update=limits)


def _check_layout(model: Model, layout: ParallelLayout, machine: Machine) -> None:
    if layout.tp % layout.ep or layout.tp % layout.dp_attention:
        raise LaunchError(
            f"{layout.dp_attention} attention groups and {layout.ep} expert ranks must divide the {layout.tp} ranks"
        )
    refusal = model_refusal(model, layout)
    if refusal is None:
        return
    near = _dividing(model, layout, machine) or _dividing(model, replace(layout, ep=1, dp_attention=1), machine)
    raise LaunchError(
        f"{layout_name(layout)}: {refusal.value} ({model.id}: {model.heads} heads, {model.kv_heads} KV heads, "
        f"{model.layers} layers)" + (f"; nearest that divides: {' or '.join(map(layout_name, near))}" if near else "")
    )


def _dividing(model: Model, layout: ParallelLayout, machine: Machine) -> list[ParallelLayout]:
    """The two legal layouts with the nearest numbers of ranks, everything else kept."""
    others = [
        replace(layout, tp=tp)
        for tp in range(1, machine.accelerators + 1)
        if tp % layout.dp_attention == 0 and tp % layout.ep == 0
    ]
    legal = [other for other in others if model_refusal(model, other) is None]
    nearest = sorted(legal, key=lambda other: abs(log(other.tp / layout.tp)))[:2]
    return sorted(nearest, key=lambda other: other.tp)


def _servers(layout: ParallelLayout, copies: int, machine: Machine, launch: Launch, stated: int | None) -> int:
    """How often the command runs on the machine."""
    size = layout.accelerators * copies
    fits = machine.accelerators // size
    wanted = stated or (1 if launch.role is None else max(fits, 1))
    if wanted > fits:
        server = f"{wanted} × {size}" if wanted > 1 else f"{size}"
        most = (
            f"at most {fits} such servers run on it"
            if fits
            else f"the largest replica that runs on it has {machine.accelerators}"
        )
        raise LaunchError(
            f"the command takes {server} accelerators (TP{layout.tp} × PP{layout.pp} × {copies} copies), "
            f"{machine.hosts} × {machine.per_host} {machine.accelerator.id} are {machine.accelerators}; {most}"
        )
    return wanted


def _formats(
    launch: Launch,
    model: Model,
    named: str | None,
    accelerator: Accelerator,
    formats: Mapping[str, NumberFormat],
) -> _Formats:
    """What is asked for, and what stands for a format that the part cannot compute in."""
    own = own_format(model, formats)
    half = "fp16" if launch.half_precision and own == "bf16" else own
    weights = launch.weights or named or half
    kv = launch.kv or DEFAULT_KV
    cells = {"weights_format": weights, "kv_format": kv}
    found: list[NotNative] = []
    added = None
    stored = resolve(formats, weights, model.native_format)
    activations = formats[stored.kernels[0].activations]
    refusal = formats_supported(accelerator, stored, activations, formats[DEFAULT_KV])
    if refusal in NOT_NATIVE:
        added = _weight_only(stored, formats[WEIGHT_ONLY])
        cells["weights_format"] = added.id
        found.append(
            NotNative(
                weights,
                "weights of this size that are multiplied in bf16, so they save memory and reading only",
                refusal.value,
            )
        )
        activations = formats[added.kernels[0].activations]
        stored = added
    refusal = formats_supported(accelerator, stored, activations, formats[kv])
    if refusal is FormatRefusal.NO_FP8_CACHE:
        cells["kv_format"] = DEFAULT_KV
        found.append(NotNative(f"{kv} KV cache", f"a {DEFAULT_KV} KV cache", refusal.value))
    return _Formats(weights, kv, cells, added, tuple(found))


def _weight_only(stored: NumberFormat, rule: NumberFormat) -> NumberFormat:
    """`stored` as a format that is read at its own size and multiplied in bf16, by the rule that int4 follows."""
    return stored.model_copy(
        update={
            "id": f"{stored.id}-weight-only",
            "label": f"{stored.label}, widened to bf16",
            "kernels": rule.kernels[:1],
            "native_variant": {},
            "source": rule.source,
        }
    )


def _check_load(launch: Launch, model: Model, load: Stated, replicas: int) -> None:
    if load.concurrency is not None and load.concurrency < replicas:
        raise LaunchError(
            f"{replicas} replicas have work only for as many clients; --concurrency {load.concurrency:g} is less"
        )
    longest = load.prompt_tokens + load.output_tokens
    held = (
        (launch.longest_request, "the command's longest request"),
        (model.max_context, f"the context of {model.id}"),
    )
    for limit, name in held:
        if limit is not None and longest > limit:
            raise LaunchError(f"a request has {longest:,.0f} tokens, {name} holds {limit:,}")


def _assumed(launch: Launch, load: Stated) -> list[Assumption]:
    """What the command and the load leave open."""
    found = []
    if not load.lengths_stated:
        tokens = f"{load.prompt_tokens:,.0f} + {load.output_tokens:,.0f} tokens"
        found.append(Assumption("lengths", tokens, "not both of --prompt and --output"))
    if load.concurrency is None and load.rate_per_s is None:
        found.append(Assumption("load", "every request at once", "neither --concurrency nor --rate"))
    if launch.prefix_caching is not False:
        found.append(Assumption("prefix_cache_hit", "0", "prompts that share nothing"))
    if launch.settings_file is not None:
        found.append(Assumption("settings", "those of the command", f"{launch.settings_file} is not read"))
    return found
