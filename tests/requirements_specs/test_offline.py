"""Offline jobs in a specification: what is read, and what is refused with its place and a way out."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from requirements_specs.lengths import LengthDistribution
from requirements_specs.restate import restate
from requirements_specs.serving import Objective, ServingSpec, Spot
from requirements_specs.workload import Offline, Workload

Read = Callable[[str], ServingSpec]
Refused = Callable[[str], str]
JOB = """\
kind: serving
model: llama-3.1-8b
workload:
  prompt_tokens: 512 tokens
  output_tokens: 200 tokens
  offline: {requests: 2 M, window: 8 h}
"""
TERMS = "spot: {interruptions_per_hour: 0.05, restart: 5 min}"


def test_a_job_is_read(read: Read) -> None:
    spec = read(JOB + f"objective: smallest_fleet\ninventory: {{tiers: [spot], {TERMS}}}\n")
    assert spec.workload.offline == Offline(requests=2_000_000, window_s=28_800.0)
    assert spec.workload.request_rate_per_s == 2_000_000 / 28_800
    assert spec.objective is Objective.SMALLEST_FLEET
    assert spec.inventory.spot == Spot(interruptions_per_hour=0.05, restart_s=300.0)
    told = "; ".join(restate(spec))
    assert "2,000,000 requests in 8 h" in told
    assert "as few accelerators as can be" in told
    assert "spot taken back 0.05 times an hour, back in 5 min" in told


def test_what_a_job_assumes_is_its_own(read: Read) -> None:
    assumed = {each.key: each.value for each in read(JOB).assumed}
    assert assumed["objective"] == "cheapest"
    assert assumed["billing"] == "by the second"
    assert assumed["start"] == "replicas ready"
    of_traffic = {"slo", "workload.peak_factor", "workload.arrivals", "availability.load_cap"}
    assert not of_traffic & assumed.keys()


@pytest.mark.parametrize(
    ("written", "requests"),
    [("2 M", 2_000_000), ("500k", 500_000), ("2,000,000", 2_000_000), ("7 requests", 7), ("1.5 M requests", 1_500_000)],
)
def test_requests_are_counted(read: Read, written: str, requests: int) -> None:
    job = read(JOB.replace("requests: 2 M", f"requests: '{written}'")).workload.offline
    assert job is not None
    assert job.requests == requests


REFUSED = [
    ("requests: 2 M", "requests: 0", "6:23: workload.offline.requests: must be positive", "a whole number of requests"),
    ("requests: 2 M", "requests: -3", "6:23: workload.offline.requests: must be positive", "a whole number"),
    ("requests: 2 M", "requests: 1.5", "6:23: workload.offline.requests: a request is done whole", "did you mean: 2"),
    ("requests: 2 M", "requests: many", "6:23: workload.offline.requests: not a number of requests", "or 2 M"),
    ("window: 8 h", "window: 0 h", "workload.offline.window: must be positive", "more than 0 s"),
    ("window: 8 h", "window: -8 h", "workload.offline.window: must be positive", "more than 0 s"),
    ("window: 8 h", "window: 8", "workload.offline.window: a bare number where a unit is needed", "did you mean"),
    (", window: 8 h", "", "6:3: workload.offline.window: this key is missing", "window: 8 h"),
    ("offline: {requests: 2 M, window: 8 h}", "offline: 5", "workload.offline: keys are needed", "requests, window"),
    ("  offline", "  request_rate: 2 rps\n  offline", "7:3: workload.offline: a workload has either", "one of the two"),
    ("  offline: {requests: 2 M, window: 8 h}\n", "", "3:1: workload.request_rate: this key is missing", "offline"),
    ("  offline", "  peak_factor: 2\n  offline", "6:3: workload.peak_factor: a job has no peak", "offline.window"),
]


@pytest.mark.parametrize(("old", "new", "first", "detail"), REFUSED)
def test_bad_jobs_name_their_place(refused: Refused, old: str, new: str, first: str, detail: str) -> None:
    assert old in JOB
    message = refused(JOB.replace(old, new))
    assert first in message
    assert detail in message


APPENDED = [
    ("slo: {ttft: {p99: 1 s}}", "7:1: slo: a job has no latency limits", "workload.request_rate with slo"),
    ("availability: {load_cap: 0.5}", "7:16: availability.load_cap: a job uses", "a shorter window"),
    ("availability: {spare_replicas: 1}", "7:16: availability.spare_replicas: a job waits", "inventory.spot"),
    ("availability: {spares: 1}", "7:16: availability.spares: unknown key", "spare_replicas"),
    ("budget: {usd_per_month: $9/month}", "7:10: budget.usd_per_month: a job is paid once", "usd_per_million"),
    ("inventory: {tiers: [spot]}", "7:13: inventory.spot: spot offers need", "interruptions_per_hour: 0.05"),
    (f"inventory: {{{TERMS}}}", "7:13: inventory.spot: interruptions are counted for jobs on spot", "tiers: [spot]"),
    (
        "inventory: {tiers: [spot], spot: {restart: 5 min}}",
        "7:28: inventory.spot.interruptions_per_hour: this key is missing",
        "0.05",
    ),
    (
        "inventory: {tiers: [spot], spot: {interruptions_per_hour: -1, restart: 5 min}}",
        "inventory.spot.interruptions_per_hour: not a possible factor",
        "a number from 0",
    ),
]


@pytest.mark.parametrize(("line", "first", "detail"), APPENDED)
def test_keys_of_traffic_are_refused_beside_a_job(refused: Refused, line: str, first: str, detail: str) -> None:
    message = refused(f"{JOB}{line}\n")
    assert first in message
    assert detail in message


def test_an_empty_slo_limits_nothing(read: Read) -> None:
    assert read(JOB + "slo: {}\n").slo == ()


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("objective: smallest_fleet", "7:1: objective: the smallest fleet is the one that ends a job"),
        (f"inventory: {{tiers: [spot], {TERMS}}}", "7:28: inventory.spot: interruptions are counted for jobs"),
    ],
)
def test_keys_of_a_job_are_refused_beside_a_rate(refused: Refused, minimal: str, line: str, first: str) -> None:
    assert first in refused(f"{minimal}{line}\n")


def test_a_rate_that_is_not_that_of_the_window_is_no_workload() -> None:
    length = LengthDistribution.constant(100)
    with pytest.raises(ValidationError, match="requests over its window"):
        Workload(
            request_rate_per_s=1.0,
            prompt_tokens=length,
            output_tokens=length,
            offline=Offline(requests=10, window_s=60.0),
        )
