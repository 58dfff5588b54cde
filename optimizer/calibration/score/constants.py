"""How many constants were fitted, and to what: counted in the catalog."""

from __future__ import annotations

from collections.abc import Iterable

from catalog.efficiency import AllReduceConstants, AllToAllConstants
from catalog.engines import Engine
from catalog.parts import Frozen
from catalog.read import Snapshot
from optimizer.calibration.fit import priors_of
from optimizer.calibration.score.sections import Line, Section, Table

# What an `Engine` says of prefills and of the first token, beside its step; its other fields are settings.
PREFILL_CONSTANTS = ("prefill_factor", "prefill_event_s", "interference")
FIRST_TOKEN_CONSTANTS = ("host_s", "own_prefill_factor", "extra_steps", "burst_share")
# The part's data sheet; a size of MLA's only head has no factor.
LINK = frozenset({"link_bytes_per_s"})
HEAD_FACTORS = frozenset({"head_64_factor", "head_192_factor", "head_256_factor"})


def section(snapshot: Snapshot) -> Section:
    """Count the fitted constants of the catalog by what they belong to."""
    tables = snapshot.efficiency
    lines = (
        _line("products, per format", tables.gemm.values()),
        _line("prefill attention, per format", tables.context_attention.values()),
        _line("prefill attention of MLA, per format", tables.context_latent.values(), HEAD_FACTORS),
        _line("decode attention, per format", tables.decode_attention.values()),
        _line("decode attention of MLA, per format", tables.decode_latent.values()),
        _line("experts, per format", tables.experts.values()),
        _line("all-reduce, per part and size of the group", tables.all_reduce, LINK),
        _line("all-to-all of experts, per part and size of the group", tables.all_to_all),
        *(_engine_line(engine) for engine in snapshot.engines.values()),
    )
    total = sum(int(line.figures[1]) for line in lines)
    return Section(
        "Constants",
        f"{total} constants, none of them of one model; sample sizes and left-out errors stand in the catalog beside "
        "each set",
        (Table("of", ("sets", "constants"), lines),),
        remarks=(
            *(f"kernels: {source}" for source in _kernel_sources(snapshot)),
            *(f"collectives: {source}" for source in _sources((*tables.all_reduce, *tables.all_to_all))),
            *(f"{engine.id}: {engine.source}" for engine in snapshot.engines.values()),
        ),
    )


def _line(name: str, sets: Iterable[Frozen], not_fitted: frozenset[str] = frozenset()) -> Line:
    listed = list(sets)
    count = sum(
        isinstance(value, float) and field not in not_fitted
        for constants in listed
        for field, value in constants.__dict__.items()
    )
    return Line(name, (f"{len(listed)}", f"{count}"))


def _engine_line(engine: Engine) -> Line:
    count = len(priors_of(engine)) + len(PREFILL_CONSTANTS) + len(FIRST_TOKEN_CONSTANTS)
    return Line(f"engine era {engine.id}", ("1", f"{count}"))


def _kernel_sources(snapshot: Snapshot) -> list[str]:
    tables = snapshot.efficiency
    fits = [
        *(each.fit for each in tables.gemm.values()),
        *(each.fit for each in tables.context_attention.values()),
        *(each.fit for each in tables.context_latent.values()),
        *(each.fit for each in tables.decode_attention.values()),
        *(each.fit for each in tables.decode_latent.values()),
        *(each.fit for each in tables.experts.values()),
    ]
    return sorted({fit.source for fit in fits})


def _sources(sets: Iterable[AllReduceConstants | AllToAllConstants]) -> list[str]:
    """What they were fitted to, without the library and version that lead it."""
    return sorted({each.source.split(": ", 1)[-1] for each in sets})
