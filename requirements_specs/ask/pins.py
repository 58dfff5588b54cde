"""How one replica is split over its accelerators."""

import re
from dataclasses import dataclass

from requirements_specs.ask.amounts import COUNT, count
from requirements_specs.ask.reading import Reading

_AXES = {
    "tp": r"tp|--?tp(?:-size)?|(?:--?)?tensor[- _]parallel(?:ism)?(?:[- _](?:size|degree))?",
    "pp": r"pp|--?pp(?:-size)?|(?:--?)?pipeline[- _]parallel(?:ism)?(?:[- _](?:size|degree))?",
    "ep": r"ep|--?ep(?:-size)?|(?:--?)?expert[- _]parallel(?:ism)?(?:[- _](?:size|degree))?",
    "dp_attention": r"dp[- _]attention|attention[- _]dp",
    "dp": r"dp|--?dp(?:-size)?|(?:--?)?data[- _]parallel(?:ism)?(?:[- _](?:size|degree))?",
}
_REPLICAS_TIMES = re.compile(r"(?<![\w.-])(?<!\d,)(?P<replicas>\d{1,4}) ?[x*] ?(?=tp ?=?\d)")
_REPLICAS = re.compile(rf"(?P<replicas>{COUNT}) (?:replicas?|copies|instances of the model)(?!\w)")
_POOLS = re.compile(r"(?<![\w.])(?P<prefill>\d{1,3}) ?p ?[:+]? ?(?P<decode>\d{1,3}) ?d(?![\w])")
_POOL_WORDS = re.compile(
    r"(?<!\w)(?:disagg\w*|aggregated|agg|prefill[/ -]+decode|pd[- ]disagg\w*|pd mode"
    r"|(?:prefill|decode)[ -](?:tp|pp|ep|workers?|nodes?|instances?|pools?))(?!\w)"
)


@dataclass(frozen=True)
class Pins:
    """Numbers of the parallel layout that are named, in rising order; `at_most` where only an upper end is."""

    tp: tuple[int, ...] = ()
    pp: tuple[int, ...] = ()
    ep: tuple[int, ...] = ()
    dp_attention: tuple[int, ...] = ()
    at_most: tuple[str, ...] = ()
    replicas: int | None = None
    prefill_decode: tuple[int, int] | None = None
    pools: bool = False


def read_pins(reading: Reading) -> Pins:
    """Read `TP=4`, `tp2`, `tensor parallel size 4`, `2 x TP4`, `1P1D` and what people write for them."""
    replicas = [int(match["replicas"]) for match in reading.take(_REPLICAS_TIMES)]
    pools = [(int(match["prefill"]), int(match["decode"])) for match in reading.take(_POOLS)]
    values: dict[str, set[int]] = {axis: set() for axis in _AXES}
    at_most: list[str] = []
    for axis, names in _AXES.items():
        pattern = re.compile(
            rf"(?<![a-z0-9-])(?P<most>(?:up to|at most|max(?:imum)?) )?(?:{names})"
            rf" ?(?P<sign><=|≤|=|:|of|is)? ?(?P<number>\d{{1,6}})(?![\w])"
        )
        for match in reading.take(pattern):
            values[axis].add(int(match["number"]))
            if match["most"] or match["sign"] in ("<=", "≤"):
                at_most.append(axis)
    in_pools = bool(list(reading.take(_POOL_WORDS))) or bool(pools)
    replicas += [count(match["replicas"]) for match in reading.take(_REPLICAS)]
    replicas += sorted(values["dp"])
    return Pins(
        tp=tuple(sorted(values["tp"])),
        pp=tuple(sorted(values["pp"])),
        ep=tuple(sorted(values["ep"])),
        dp_attention=tuple(sorted(values["dp_attention"])),
        at_most=tuple(at_most),
        replicas=replicas[0] if replicas else None,
        prefill_decode=pools[0] if pools else None,
        pools=in_pools,
    )
