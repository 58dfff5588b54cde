from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from requirements_specs.errors import SpecError
from requirements_specs.known import KnownNames
from requirements_specs.named_workloads import named_workloads
from requirements_specs.read import read_spec
from requirements_specs.requirement import Frozen
from requirements_specs.restate import restate
from requirements_specs.serving import ServingSpec
from requirements_specs.workload import Workload
from tests.requirements_specs.traces.writers import Request, mooncake, plain

Read = Callable[..., ServingSpec]
Refused = Callable[..., str]
# An hour of one request every two seconds, but for ten minutes of two a second, at 1,200 s.
REQUESTS = sorted(
    [Request(2.0 * i, 1000, 50) for i in range(1800)]
    + [Request(1200.25 + i * (2 / 3), 200 + i % 2, 100 + i % 2) for i in range(900)]
)


@pytest.fixture
def read(tmp_path: Path, names: KnownNames) -> Read:
    """Read a spec with these lines of a workload, and a file beside it."""

    def spec(trace: str, workload: str = "trace: requests", more: str = "") -> ServingSpec:
        (tmp_path / "requests").write_text(trace, encoding="utf-8")
        path = tmp_path / "chat.yaml"
        path.write_text(f"kind: serving\nmodel: llama-3.1-8b\nworkload:\n  {workload}\n{more}", encoding="utf-8")
        return read_spec(path, names)

    return spec


@pytest.fixture
def refused(read: Read, tmp_path: Path) -> Refused:
    def message(trace: str, workload: str = "trace: requests", more: str = "") -> str:
        with pytest.raises(SpecError) as error:
            read(trace, workload, more)
        return str(error.value).replace(f"{tmp_path}/", "")

    return message


def assumed(spec: ServingSpec) -> dict[str, tuple[str, str]]:
    return {each.key: (each.value, each.why) for each in spec.assumed}


def test_rate_and_lengths_are_those_of_the_busiest_window(read: Read) -> None:
    spec = read(plain(REQUESTS))
    workload = spec.workload
    assert workload.request_rate_per_s == 2.0
    assert workload.prompt_tokens.mean == pytest.approx((300 * 1000 + 900 * 200.5) / 1200)
    assert workload.output_tokens.maximum == 101
    assert workload.prefix_cache_hit == 0
    assert workload.peak_factor == 1
    trace = workload.trace
    assert trace is not None
    assert (trace.file, trace.requests, trace.window_start, trace.window_s, trace.window_requests) == (
        "requests", 2700, "20 min", 600.0, 1200,
    )  # fmt: skip
    assert [each.scale_s for each in trace.dispersions] == [1.0, 10.0]
    assert assumed(spec)["workload.trace.window"] == ("10 min", "no window is given")
    rate, why = assumed(spec)["workload.request_rate"]
    assert rate == "2 req/s"
    assert "1,200 of 2,700 requests of requests arrive in the 10 min from 20 min" in why
    assert "their correlation in requests, −1.00, is not used" in assumed(spec)["workload.lengths"][1]
    assert workload.index_of_dispersion == 1.0  # two a second, as a clock: no burst
    assert assumed(spec)["workload.arrivals"] == ("index of dispersion 1", "in bins of 1 s; Poisson: 1")
    assert "busiest 10 min of requests from 20 min; dispersion " in restate(spec)[0]


def test_bursts_are_those_of_the_shortest_time_that_the_times_resolve(read: Read) -> None:
    batches = [Request(5.0 * (i // 4), 100, 10) for i in range(800)]  # four at once, every 5 s
    spec = read(plain(batches))
    assert [each.scale_s for each in spec.workload.trace.dispersions if spec.workload.trace] == [10.0]
    alone = read(
        plain([Request(float(t), 100, 10) for t in np.random.default_rng(3).uniform(0, 900, 900).cumsum() / 450])
    )
    assert alone.workload.index_of_dispersion == pytest.approx(1.0, abs=0.2)
    tenfold = [Request(10.0 * (i // 20) + (i % 20 > 9) * 0.5, 100, 10) for i in range(1200)]
    assert read(plain(tenfold)).workload.index_of_dispersion == pytest.approx(18.0, rel=0.05)


def test_a_window_may_be_stated(read: Read) -> None:
    spec = read(plain(REQUESTS), "trace: {file: requests, window: 50 min}")
    assert spec.workload.request_rate_per_s == pytest.approx((1500 + 900) / 3000, abs=0.001)
    assert "workload.trace.window" not in assumed(spec)


def test_the_prefix_ceiling_is_reported_and_not_assumed(read: Read) -> None:
    hashed = [Request(float(i), 512, 9, (i % 4,)) for i in range(10)]
    spec = read(mooncake(hashed))
    assert spec.workload.prefix_cache_hit == 0
    value, why = assumed(spec)["workload.prefix_cache_hit"]
    assert value == "0"
    assert why.startswith("a cache without end would find 60 % of the prompt tokens of requests")
    assert read(mooncake(hashed), "{trace: requests, prefix_cache_hit: 30 %}").workload.prefix_cache_hit == 0.3


def test_a_trace_gives_the_least_rate_where_the_highest_is_sought(read: Read) -> None:
    more = "objective: most_requests\nbudget: {usd_per_hour: $60/h}\n"
    assert read(plain(REQUESTS), more=more).workload.request_rate_per_s == 2.0


@pytest.mark.parametrize(
    "key",
    [
        "request_rate: 5 req/s",
        "prompt_tokens: 5 tokens",
        "output_tokens: azure-conv",
        "arrivals: poisson",
        "arrivals: {index_of_dispersion: 4}",
    ],
)
def test_what_the_trace_states_is_not_stated_twice(refused: Refused, key: str) -> None:
    message = refused(plain(REQUESTS), f"{{trace: requests, {key}}}")
    assert f"workload.{key.split(':')[0]}: the trace states this" in message
    assert message.count("chat.yaml:") == 1


def test_a_job_has_no_arrivals(refused: Refused) -> None:
    message = refused(plain(REQUESTS), "{trace: requests, offline: {requests: 2 M, window: 8 h}}")
    assert "chat.yaml:4:21: workload.offline: the trace states this" in message


BAD = [
    ("trace: missing.csv", "chat.yaml:4:3: workload.trace: missing.csv: cannot be read: No such file"),
    ("trace: [requests]", "chat.yaml:4:10: workload.trace: one value is needed"),
    ("trace: {window: 5 min}", "chat.yaml:4:3: workload.trace.file: this key is missing"),
    ("trace: {file: requests, window: 5}", "chat.yaml:4:35: workload.trace.window: a bare number"),
    ("trace: {file: requests, windows: 5 min}", "chat.yaml:4:27: workload.trace.windows: unknown key"),
    ("trace: {file: requests, window: 2 h}", "chat.yaml:4:27: workload.trace.window: no window of this trace"),
]


@pytest.mark.parametrize(("workload", "message"), BAD)
def test_what_is_wrong_about_the_key_stands_in_the_spec(refused: Refused, workload: str, message: str) -> None:
    assert refused(plain(REQUESTS), workload).startswith(message)


def test_what_is_wrong_about_the_file_stands_there(refused: Refused) -> None:
    message = refused("time,prompt_tokens,output_tokens\n0,5,5\n1,0,5\n", more="risk: 2\n")
    assert message.startswith("chat.yaml:5:7: risk: ")
    assert "\nrequests:3: prompt_tokens: not a possible length\n    read: 0 tokens" in message


def test_a_rate_that_no_service_has_is_refused(refused: Refused) -> None:
    message = refused("time,prompt_tokens,output_tokens\n0,5,5\n1e-8,5,5\n")
    assert message.startswith("chat.yaml:4:3: workload.trace: requests: more requests arrive than a specification may")
    assert "read: 100,000,000 req/s" in message
    assert "allowed: at most 10,000,000 req/s" in message


def test_a_named_workload_gives_its_lengths_and_its_source(read: Read) -> None:
    spec = read("", "{request_rate: 2 req/s, prompt_tokens: azure-conv, output_tokens: Azure_Code}")
    named = named_workloads()
    assert spec.workload.prompt_tokens == named["azure-conv"].lengths("prompt_tokens")
    assert spec.workload.output_tokens == named["azure-code"].lengths("output_tokens")
    value, why = assumed(spec)["workload.output_tokens"]
    assert value == "azure-code"
    assert "AzurePublicDataset" in why
    assert "CC-BY 4.0" in why


def test_the_workload_is_frozen(read: Read) -> None:
    workload = read(plain(REQUESTS)).workload
    assert isinstance(workload, Workload)
    assert isinstance(workload.trace, Frozen)
    assert hash(workload) == hash(read(plain(REQUESTS)).workload)
