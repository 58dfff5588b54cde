"""The answer's contract: every key, in every answer, the same bytes twice."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from catalog.read import load
from optimizer.answers import Answer
from optimizer.mechanisms import Drafts, mechanisms_of
from optimizer.names import known_names
from optimizer.outcome import Mechanism, Worth
from optimizer.report import outcome_of
from optimizer.report.mechanisms_part import with_mechanisms
from optimizer.solve import answer
from requirements_specs.read import read_spec

EXAMPLES = Path(__file__).parents[1] / "examples"
KEYS = {
    "schema_version", "status", "proved", "objective", "scope", "assumed", "cost", "design", "predicted",
    "binding_wall", "also_binding", "walls", "minimum_hardware", "conflicts", "relaxations", "search",
    "catalog_hash", "warnings", "timing",
}  # fmt: skip
POOL_KEYS = {
    "role", "accelerator", "offer", "price_kind", "price_date", "instances", "replicas", "accelerators_per_replica",
    "layout", "formats", "engine",
}  # fmt: skip
LEDGER = ("illegal", "bounded", "refused", "dominated", "optimal", "tied")
STATISTICS = {"mean", "p50", "p90", "p95", "p99", "p99_interval"}


def answered(name: str) -> dict[str, Any]:
    snapshot = load()
    spec = read_spec(EXAMPLES / name, known_names(snapshot))
    outcome = outcome_of(spec, answer(spec, snapshot), snapshot, date(2026, 11, 24))
    found: dict[str, Any] = json.loads(outcome.model_dump_json())
    return found


@pytest.fixture(scope="module")
def chat() -> dict[str, Any]:
    return answered("chat_70b.yaml")


@pytest.fixture(scope="module")
def impossible() -> dict[str, Any]:
    return answered("infeasible_tpot.yaml")


@pytest.fixture(scope="module")
def batch() -> dict[str, Any]:
    return answered("offline_batch.yaml")


def test_every_key_of_the_contract_is_there(chat: dict[str, Any]) -> None:
    assert chat.keys() >= KEYS
    assert chat["objective"].keys() >= {"metric", "value", "bound", "analytic_bound", "verified_by"}
    assert chat["scope"].keys() >= {"pools", "engines", "formats", "estimated_parts"}
    assert chat["cost"].keys() >= {
        "usd_per_hour", "usd_per_month", "usd_per_million_input_tokens", "usd_per_million_output_tokens",
        "usd_per_million_tokens", "idle_share",
    }  # fmt: skip
    (pool,) = chat["design"]["pools"]
    assert pool.keys() >= POOL_KEYS
    assert pool["layout"].keys() >= {"tp", "pp", "ep", "dp_attention"}
    assert pool["formats"].keys() == {"weights", "activations", "kv"}
    assert pool["engine"].keys() == {"name", "max_num_seqs", "max_num_batched_tokens"}
    for metric in ("ttft_s", "tpot_s", "e2e_s"):
        assert chat["predicted"][metric].keys() == STATISTICS
    assert chat["predicted"].keys() >= {"output_tokens_per_s", "utilization", "memory_bytes_per_accelerator"}
    for wall in chat["walls"]:
        assert wall.keys() == {
            "id", "number", "utilization", "binding", "gain_of_10_percent", "cost_falls_at_factor",
        }  # fmt: skip
    assert chat["search"].keys() >= {"candidates", *LEDGER, "refined", "columns", "solver"}


def test_an_infeasible_answer_has_the_same_keys(chat: dict[str, Any], impossible: dict[str, Any]) -> None:
    assert impossible.keys() == chat.keys()
    assert impossible["status"] == "infeasible"
    assert impossible["design"] is impossible["cost"] is impossible["predicted"] is None
    assert impossible["binding_wall"] == "memory-bandwidth"
    assert impossible["floor"]["least"] > impossible["floor"]["limit"] == 0.005


def test_conflicts_and_relaxations_are_paths_with_amounts(impossible: dict[str, Any]) -> None:
    assert ["slo.tpot.mean", "formats.weights", "layout.accelerators_per_replica"] in impossible["conflicts"]
    for relaxation in impossible["relaxations"]:
        assert relaxation.keys() == {"changes", "usd_per_hour", "verified"}
        assert relaxation["verified"] is True
        for change in relaxation["changes"]:
            assert change.keys() == {"requirement", "from", "to"}
    changes = {
        change["requirement"]: (change["from"], change["to"])
        for relaxation in reversed(impossible["relaxations"])
        for change in relaxation["changes"]
    }
    assert changes["formats.weights"] == (["bf16"], ["bf16", "fp8"])
    assert changes["layout.accelerators_per_replica"] == (1, [1, 4])
    assert changes["slo.tpot.mean"][0] == 0.005
    assert changes["slo.tpot.mean"][1] > 0.005


def test_the_proof_is_bound_equals_objective_over_millions_of_rows(chat: dict[str, Any]) -> None:
    assert chat["proved"] is True
    assert chat["status"] == "optimal"
    assert chat["objective"]["value"] == chat["objective"]["bound"] == chat["cost"]["usd_per_hour"]
    assert chat["search"]["candidates"] >= 1_000_000
    assert chat["search"]["candidates"] == sum(chat["search"][name] for name in LEDGER)
    assert sum(chat["search"]["illegal_by_reason"].values()) == chat["search"]["illegal"]


def test_what_is_computed_later_is_null(chat: dict[str, Any]) -> None:
    assert chat["conflicts"] is chat["relaxations"] is None
    assert chat["objective"]["verified_by"] == "none"
    assert {wall["cost_falls_at_factor"] for wall in chat["walls"]} == {None}


def test_the_hardware_that_is_just_enough_is_no_better_than_the_part(chat: dict[str, Any]) -> None:
    hardware = chat["minimum_hardware"]
    assert hardware.keys() >= {"accelerators", "accelerators_per_replica", "alone", "joint"}
    assert hardware["accelerators"] == sum(pool["accelerators"] for pool in chat["design"]["pools"])
    assert hardware["alone"].keys() == {
        "memory_bytes", "memory_bandwidth_bytes_per_s", "compute_flop_per_s", "link_bytes_per_s",
    }  # fmt: skip
    for number, least in hardware["alone"].items():
        assert 0.0 < least <= hardware["part"][number]
    assert hardware["joint"] == []


def test_an_offline_job_has_the_same_keys_and_an_offline_part(chat: dict[str, Any], batch: dict[str, Any]) -> None:
    assert batch.keys() == chat.keys()
    assert chat["offline"] is None
    assert batch["cost"].keys() == chat["cost"].keys()
    assert batch["predicted"].keys() == chat["predicted"].keys()
    assert batch["predicted"]["ttft_s"] is batch["predicted"]["tpot_s"] is batch["predicted"]["e2e_s"] is None
    assert batch["cost"]["usd_per_month"] is None
    job = batch["offline"]
    assert job.keys() == {
        "requests", "window_s", "duration_s", "drain_s", "expected_duration_s", "duration_interval_s",
        "expected_requests_per_s", "expected_tokens_per_s", "sequences_per_replica", "interruptions", "usd_per_job",
        "expected_usd_per_job", "padding", "longest_output_overhead",
    }  # fmt: skip
    assert (job["requests"], job["window_s"]) == (5_000_000, 43_200.0)
    assert job["drain_s"] < job["duration_s"] == batch["predicted"]["at_risk_s"]["workload.offline.window"] <= 43_200.0
    low, high = job["duration_interval_s"]
    assert low < job["expected_duration_s"] < job["duration_s"] < high
    assert (
        job["expected_usd_per_job"] < job["usd_per_job"] == batch["objective"]["value"] == batch["objective"]["bound"]
    )
    assert batch["objective"]["metric"] == "usd"
    assert job["usd_per_job"] == pytest.approx(batch["cost"]["usd_per_hour"] * job["duration_s"] / 3600, abs=2e-6)
    millions = 5_000_000 * 150 / 1e6
    assert batch["cost"]["usd_per_million_output_tokens"] == pytest.approx(job["usd_per_job"] / millions)
    assert batch["cost"]["idle_share"] == pytest.approx(1.0 - batch["predicted"]["utilization"])
    overheads = [each["overhead"] for each in job["padding"]]
    assert overheads == sorted(overheads, reverse=True)
    assert batch["search"]["candidates"] == sum(batch["search"][name] for name in LEDGER)


def test_mechanisms_have_the_same_keys_whatever_they_are_worth() -> None:
    snapshot = load()
    spec = read_spec(EXAMPLES / "chat_70b.yaml", known_names(snapshot))
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    outcome = outcome_of(spec, found, snapshot, date(2026, 11, 24))
    assert outcome.mechanisms is None
    for drafts in (Drafts(4), Drafts(4, 0.6, 0.1)):
        asked = with_mechanisms(outcome, found, mechanisms_of(spec, found, snapshot, drafts))
        part = json.loads(asked.model_dump_json())["mechanisms"]
        assert part.keys() == {"request_rate_per_s", "choices", "speculation"}
        assert [choice["mechanism"] for choice in part["choices"]] == list(Mechanism)
        for choice in part["choices"]:
            assert choice.keys() == {"mechanism", "in_use", "off", "on", "worth", "gain", "reason", "resolved"}
            assert choice["off"].keys() == choice["on"].keys() == {"name", "figures"}
            assert choice["worth"] in list(Worth)
            for figures in (choice["off"]["figures"], choice["on"]["figures"]):
                assert figures is None or figures.keys() == {"highest_rate_per_s", "ttft_p99_s", "tpot_p99_s"}
        speculation = part["speculation"]
        assert speculation.keys() == {
            "drafted", "acceptance", "draft_cost", "kept_tokens", "running", "curve", "most_sequences", "null_move",
            "null_from",
        }  # fmt: skip
        for batch in (speculation["running"], *speculation["curve"]):
            assert batch.keys() == {"sequences", "verify_steps", "acceptance_needed", "speed_up"}


def test_two_runs_give_the_same_bytes(chat: dict[str, Any]) -> None:
    assert json.dumps(answered("chat_70b.yaml")) == json.dumps(chat)


def test_the_figures_hang_together(chat: dict[str, Any]) -> None:
    cost, predicted = chat["cost"], chat["predicted"]
    (pool,) = chat["design"]["pools"]
    assert cost["usd_per_hour"] == pytest.approx(pool["instances"] * pool["usd_per_hour_per_instance"])
    assert cost["usd_per_month"] == pytest.approx(730 * cost["usd_per_hour"])
    million_output_per_hour = predicted["output_tokens_per_s"] * 3600 / 1e6
    assert cost["usd_per_million_output_tokens"] == pytest.approx(cost["usd_per_hour"] / million_output_per_hour)
    assert cost["idle_share"] == pytest.approx(1 - predicted["utilization"])
    assert predicted["at_risk_s"]["slo.ttft.p99"] <= 0.2
    for metric in ("ttft_s", "tpot_s", "e2e_s"):
        latency = predicted[metric]
        assert latency["p50"] <= latency["p90"] <= latency["p95"] <= latency["p99"]
        assert latency["p99_interval"][0] < latency["p99"] < latency["p99_interval"][1]
    of_family = {"dollars": "economic-cost", "network": "communication"}
    binding = {wall["id"] for wall in chat["walls"] if wall["binding"]}
    assert binding == {of_family.get(name, name) for name in (chat["binding_wall"], *chat["also_binding"])}
