"""How many constants there are, and where they are from: counted in the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from catalog.efficiency import AllReduceConstants, AllToAllConstants
from catalog.engines import Engine
from catalog.parts import Frozen
from catalog.read import Snapshot
from optimizer.calibration.fit import priors_of
from optimizer.calibration.score.sections import Line, Section, Table

# What an `Engine` says of prefills and of the first token, beside its step; its other fields are settings.
PREFILL_CONSTANTS = ("prefill_factor", "prefill_event_s", "interference")
FIRST_TOKEN_CONSTANTS = ("host_s", "own_prefill_factor", "extra_steps", "attention_dp_steps", "burst_share")
# The part's data sheet; a size of MLA's only head has no factor.
LINK = frozenset({"link_bytes_per_s"})
HEAD_FACTORS = frozenset({"head_64_factor", "head_192_factor", "head_256_factor"})


def section(snapshot: Snapshot) -> Section:
    """Count the constants of the catalog by what they belong to."""
    tables = snapshot.efficiency
    engines = list(snapshot.engines.values())
    current = [engine for engine in engines if engine.id == engine.library]
    lines = (
        _line("products, per format", tables.gemm.values()),
        _line("prefill attention, per format", tables.context_attention.values()),
        _line("prefill attention of MLA, per format", tables.context_latent.values(), HEAD_FACTORS),
        _line("decode attention, per format", tables.decode_attention.values()),
        _line("decode attention of MLA, per format", tables.decode_latent.values()),
        _line("experts, per format", tables.experts.values()),
        _line("all-reduce, per part and size of the group", tables.all_reduce, LINK),
        _line("all-to-all of experts, per part and size of the group", tables.all_to_all),
        _priors_line(current),
        *(Line(f"first tokens of engine era {each.id}", ("1", f"{len(FIRST_TOKEN_CONSTANTS)}")) for each in current),
        *(_own_line(each, snapshot.engines[each.library]) for each in engines if each not in current),
    )
    total = sum(int(line.figures[1]) for line in lines)
    return Section(
        "Constants",
        f"{total} constants, none of them of one model; those of kernels have their sample sizes and left-out errors "
        "beside them in the catalog; what an engine era takes over from another is counted once",
        (Table("of", ("sets", "constants"), lines),),
        remarks=(
            *(f"kernels: {source}" for source in _kernel_sources(snapshot)),
            *(f"collectives: {source}" for source in _sources((*tables.all_reduce, *tables.all_to_all))),
            *(f"{engine.id}: {engine.source}" for engine in engines),
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


def _priors_line(current: Sequence[Engine]) -> Line:
    """Steps and prefills of the current eras: not fitted, and mostly the same in all of them."""
    values = {(name, getattr(engine, name)) for engine in current for name in _step_constants(engine)}
    return Line("steps and prefills of the current engine eras: round priors", (f"{len(current)}", f"{len(values)}"))


def _own_line(engine: Engine, current: Engine) -> Line:
    """An older era, without the constants that are those of its library's current one."""
    names = (*_step_constants(engine), *FIRST_TOKEN_CONSTANTS)
    own = [name for name in names if getattr(engine, name) != getattr(current, name)]
    return Line(f"engine era {engine.id}", ("1", f"{len(own)}"))


def _step_constants(engine: Engine) -> tuple[str, ...]:
    return (*priors_of(engine), *PREFILL_CONSTANTS)


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
