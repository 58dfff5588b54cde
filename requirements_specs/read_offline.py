"""The keys of an offline job: its volume and window, its interruptions, and what a job cannot have."""

from requirements_specs import convert
from requirements_specs.keys import joined
from requirements_specs.quantity import Dimension
from requirements_specs.section import Findings, Section
from requirements_specs.serving import Objective, Spot
from requirements_specs.source import Mapping
from requirements_specs.workload import Offline

SPOT_TIER = "spot"
_LONGEST_WINDOW_S = 366 * 86400.0
_MOST_INTERRUPTIONS = 1000.0
_OFFLINE_FORM = "offline: {requests: 2 M, window: 8 h}"
# Keys of traffic, by section -> why a job has none, and what works.
_OF_TRAFFIC = {
    ("workload", "peak_factor"): ("a job has no peak: its requests all wait from the start", "workload.offline.window"),
    ("workload", "arrivals"): ("no request of a job arrives: all wait from the start", "workload.offline.window"),
    ("workload", "profile"): ("a job has no periods: its requests all wait from the start", "workload.offline.window"),
    ("workload", "growth"): ("a job does not grow: it is done once", "a specification for each job"),
    ("budget", "usd_per_month"): (
        "a job is paid once, not by the month",
        "budget.usd_per_million_output_tokens, or usd_per_hour while it runs",
    ),
    ("availability", "spare_replicas"): (
        "a job waits for a lost replica; nothing is kept in spare",
        "inventory.spot, for interruptions",
    ),
    ("availability", "cold_start"): ("the window begins once the weights are loaded", "a shorter window"),
    ("availability", "load_cap"): ("a job uses its replicas whole; bursts do not reach it", "a shorter window"),
}


def read_offline(section: Section, findings: Findings, *, rate_is_sought: bool) -> Offline | None:
    """Return the job under `workload.offline`; one of it and `request_rate` must be there, unless a rate is sought."""
    if "offline" not in section:
        if not rate_is_sought:
            section.require(request_rate=f"10 req/s, or for a job that waits: {_OFFLINE_FORM}; or trace: requests.csv")
        return None
    if "request_rate" in section:
        findings.refuse(
            section.mark("offline"),
            "workload.offline",
            "a workload has either a rate or a job to finish",
            read="request_rate and offline",
            allowed="one of the two; a specification for each",
        )
    below = section.section("offline")
    if below is None:
        return None
    below.require(requests="2 M", window="8 h")
    requests = below.value("requests", convert.request_count)
    window_s = below.value("window", convert.quantity(Dimension.TIME, above=0.0, at_most=_LONGEST_WINDOW_S))
    return None if requests is None or window_s is None else Offline(requests=requests, window_s=window_s)


def refuse_traffic_keys(top: Section, findings: Findings) -> None:
    """Refuse, beside an offline job, the keys that only requests with arrivals have."""
    slo = top.node("slo")
    if slo is not None and not (isinstance(slo, Mapping) and not slo.entries):
        findings.refuse(
            top.mark("slo"),
            "slo",
            "a job has no latency limits: its requests wait for their turn, and only the end of the last one counts",
            allowed="workload.offline.window; or workload.request_rate with slo",
        )
    for (name, key), (why, instead) in _OF_TRAFFIC.items():
        node = top.node(name)
        for entry in node.entries if isinstance(node, Mapping) else ():
            if entry.key.text == key:
                findings.refuse(entry.key.mark, joined(name, key), why, allowed=instead)


def refuse_objective(top: Section, objective: Objective, findings: Findings, *, job: bool) -> None:
    """Refuse the objective that only a job has for requests with arrivals, and theirs for a job."""
    if job and objective.needs_cap:
        findings.refuse(
            top.mark("objective"),
            "objective",
            "a job has no rate or latency to make better: it ends within its window",
            read=objective,
            allowed="cheapest, smallest_fleet",
        )
    if not job and objective is Objective.SMALLEST_FLEET:
        findings.refuse(
            top.mark("objective"),
            "objective",
            "the smallest fleet is the one that ends a job within its window",
            read=objective,
            allowed=f"with {_OFFLINE_FORM}; with request_rate: cheapest, under inventory.max_accelerators",
        )


def read_spot(section: Section, *, job: bool, tiers: tuple[str, ...], findings: Findings) -> Spot | None:
    """Return how spot instances are interrupted, `section` being the inventory; needed where a job may use them."""
    if "spot" not in section:
        if job and SPOT_TIER in tiers:
            findings.refuse(
                section.mark("tiers"),
                "inventory.spot",
                "spot offers need inventory.spot.interruptions_per_hour: no source publishes it per offer",
                allowed="spot: {interruptions_per_hour: 0.05, restart: 5 min}, as you have seen them",
            )
        return None
    if not job or SPOT_TIER not in tiers:
        findings.refuse(
            section.mark("spot"),
            "inventory.spot",
            "interruptions are counted for jobs on spot offers",
            allowed=f"with workload.{_OFFLINE_FORM} and tiers: [spot]; "
            "for traffic, availability.spare_replicas stands in for a lost replica",
        )
        return None
    below = section.section("spot")
    if below is None:
        return None
    below.require(interruptions_per_hour="0.05", restart="5 min")
    rate = below.value("interruptions_per_hour", convert.factor(at_least=0.0, at_most=_MOST_INTERRUPTIONS))
    restart_s = below.value("restart", convert.quantity(Dimension.TIME, at_least=0.0, at_most=_LONGEST_WINDOW_S))
    return None if rate is None or restart_s is None else Spot(interruptions_per_hour=rate, restart_s=restart_s)
