"""A specification whose rate changes, from the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
EXAMPLE = Path(__file__).parents[2] / "examples" / "diurnal_chat.yaml"


def changed(tmp_path: Path, *changes: tuple[str, str]) -> str:
    text = EXAMPLE.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "changed.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_an_answer_says_how_to_run_the_design(run: Run) -> None:
    ran = run("solve", str(EXAMPLE), "--json")
    assert ran.code == 0
    answer = json.loads(ran.out)
    pool, cost = answer["design"]["pools"][0], answer["cost"]
    profile, growth, failure = answer["profile"], answer["growth"], answer["failure"]
    assert profile["verified_by"] == answer["objective"]["verified_by"] == "simulation"
    assert [period["hours"] for period in profile["periods"]] == [8.0, 10.0, 6.0]
    assert [period["starts_at_hour"] for period in profile["periods"]] == [0.0, 8.0, 18.0]
    replicas = [period["replicas"] for period in profile["periods"]]
    assert replicas == sorted(replicas)
    assert replicas[-1] == pool["replicas"] == growth["steps"][-1]["replicas"]
    started = [later - earlier for earlier, later in zip([replicas[-1], *replicas], replicas, strict=False)]
    assert [period["started_instances"] for period in profile["periods"]] == [max(each, 0) for each in started]
    assert profile["flat_usd_per_month"] == cost["usd_per_month"]
    per_hour = pool["usd_per_hour_per_instance"]
    run_hours = sum(period["hours"] * period["instances"] for period in profile["periods"])
    ahead = sum(period["started_instances"] for period in profile["periods"]) * profile["cold_start_s"] / 3600
    month = per_hour * 730 / 24
    assert profile["autoscaled_usd_per_month"] == pytest.approx(month * (run_hours + ahead))
    assert profile["warm_pool_usd_per_month"] == pytest.approx(month * ahead)
    served = 40 * (8 * 0.25 + 10 * 1.1 + 6 * 1.8) / 24 * 1.04**12
    assert answer["predicted"]["output_tokens_per_s"] == pytest.approx(200 * served)
    assert growth["steps"][0]["request_rate_per_s"] == pytest.approx(72.0)
    assert failure["one_accelerator"]["limits_hold"]


def test_laws_alone_and_no_cold_start_are_said(run: Run, tmp_path: Path) -> None:
    measured = ("slo:", "inventory: {accelerators: [h100-sxm-80gb]}\nslo:")  # no warning takes a line
    path = changed(tmp_path, (", cold_start: 5 min", ""), measured)
    answer = json.loads(run("solve", path, "--no-simulate", "--json").out)
    assert answer["profile"]["verified_by"] == "none"
    assert answer["profile"]["cold_start_s"] is answer["profile"]["warm_pool_usd_per_month"] is None
    assert "availability.cold_start" in {each["key"] for each in answer["assumed"]}
    assert "by the laws alone; cold starts not priced" in run("solve", path, "--no-simulate").out


def test_spares_alone_tell_what_a_failure_takes(run: Run, tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("  profile", "  growth"))]
    path = tmp_path / "spares.yaml"
    path.write_text("\n".join(lines).replace(", cold_start: 5 min", ""), encoding="utf-8")
    answer = json.loads(run("solve", str(path), "--no-simulate", "--json").out)
    assert answer["profile"] is answer["growth"] is None
    assert answer["failure"]["spare_replicas"] == 1
    path.write_text(
        path.read_text(encoding="utf-8").replace("spare_replicas: 1", "spare_replicas: 0"), encoding="utf-8"
    )
    assert json.loads(run("solve", str(path), "--no-simulate", "--json").out)["failure"] is None


def test_a_profile_of_other_hours_is_bad_input(run: Run, tmp_path: Path) -> None:
    ran = run("solve", changed(tmp_path, ("hours: 6", "hours: 7")))
    assert ran.code == 2
    assert "changed.yaml:7:3: workload.profile: the hours of the periods are not those of a day or a week" in ran.err
    assert "did you mean: hours: 6 in the last period" in ran.err
