"""What else a service asks for: spare replicas, a cached share of prompts, a peak, a risk."""

import re
from dataclasses import dataclass

from requirements_specs.ask.amounts import AMOUNT, COUNT, count
from requirements_specs.ask.reading import PART, Reading

_MACHINES = "(?:node|machine|server|host|instance|gpu|card)s?"
_SPARES = re.compile(
    rf"(?<!\w)n ?\+ ?(?P<digits>\d{{1,3}})(?!\w)"
    rf"|(?P<count>{COUNT}) spares?(?: replicas?| (?P<other>{_MACHINES}|{PART}))?(?!\w)"
)
_CACHED = re.compile(
    rf"(?P<before>{AMOUNT}) ?% ?(?:(?:prefix|prompt|kv)[- ])?cached?(?:[- ]hits?(?:[- ]rate)?)?(?: prompts?)?(?!\w)"
    rf"|(?:prefix )?cache[- ]hit(?:[- ]rate)? ?(?:of|=|:|is)? ?(?P<after>{AMOUNT}) ?%"
)
_PEAK = re.compile(
    rf"(?P<before>{AMOUNT}) ?x? (?:times )?(?:at )?(?:the )?peaks?(?!\w)"
    rf"|peak(?: factor)? ?(?:of |=|: ?|is )?(?P<after>{AMOUNT})x?(?!\w)"
)
_RISK = re.compile(rf"(?:at )?(?:a )?risk ?(?:of|=|:|is)? ?(?P<risk>{AMOUNT} ?%?)(?!\w)")


@dataclass(frozen=True)
class Service:
    """Each as a spec writes it; None where nothing is said."""

    spare_replicas: int | None = None
    prefix_cache_hit: str | None = None
    peak_factor: str | None = None
    risk: str | None = None


def read_service(reading: Reading) -> Service:
    """Read spares (`N+1`, `2 spare replicas`), `30% cache hits`, `3x peak` and `risk 5%`; two of one are refused."""
    spares = []
    for match in list(reading.take(_SPARES)):
        spares.append((match, count(match["digits"] or match["count"])))
        if match["other"]:
            what, allowed = "spares are counted in replicas", "2 spare replicas, N+1"
            read = reading.text[match.start() : match.end()]
            reading.refuse(match.start(), "availability.spare_replicas", what, read=read, allowed=allowed)
    cached = [(match, f"{match['before'] or match['after']} %") for match in reading.take(_CACHED)]
    peaks = [(match, match["before"] or match["after"]) for match in reading.take(_PEAK)]
    risks = [(match, match["risk"]) for match in reading.take(_RISK)]
    return Service(
        spare_replicas=reading.one("availability.spare_replicas", "number of spare replicas", spares),
        prefix_cache_hit=reading.one("workload.prefix_cache_hit", "cached share", cached),
        peak_factor=reading.one("workload.peak_factor", "peak", peaks),
        risk=reading.one("risk", "risk", risks),
    )
