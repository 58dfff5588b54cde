"""What else a service asks for: spare replicas, a cached share of prompts, a peak, a risk."""

import re
from dataclasses import dataclass

from requirements_specs.ask.amounts import AMOUNT, COUNT, count
from requirements_specs.ask.reading import Reading

_SPARES = re.compile(rf"(?<!\w)n ?\+ ?(?P<digits>\d{{1,3}})(?!\w)|(?P<count>{COUNT}) spares?(?: replicas?)?(?!\w)")
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
    """Read spares (`N+1`, `2 spare replicas`), `30% cache hits`, `3x peak` and `risk 5%`; the first of each counts."""
    spares = [count(match["digits"] or match["count"]) for match in reading.take(_SPARES)]
    cached = [f"{match['before'] or match['after']} %" for match in reading.take(_CACHED)]
    peaks = [match["before"] or match["after"] for match in reading.take(_PEAK)]
    risks = [match["risk"] for match in reading.take(_RISK)]
    return Service(
        spare_replicas=next(iter(spares), None),
        prefix_cache_hit=next(iter(cached), None),
        peak_factor=next(iter(peaks), None),
        risk=next(iter(risks), None),
    )
