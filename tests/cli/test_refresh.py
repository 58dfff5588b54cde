import json
import sys
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from catalog.cache import cache_dir
from catalog.price_sources import SourceUnavailable
from tests.cli.conftest import SMALL, Ran

Run = Callable[..., Ran]
HEADER = "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone"
ROW = "gpu_1x_h100_sxm5,H100,1,26,225,,0.5,,us-east-1,us-east-1"
LAMBDA = "lambda/gpu_1x_h100_sxm5/global/on_demand"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ROOFPLAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def skypilot(tmp_path: Path) -> Path:
    path = tmp_path / "vms.csv"
    path.write_text(f"{HEADER}\n{ROW}\n", encoding="utf-8")
    return path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No gpuhunt and no network to fetch anything."""
    monkeypatch.setitem(sys.modules, "gpuhunt", None)


@pytest.mark.usefixtures("offline")
def test_without_a_network_it_says_so_keeps_the_snapshot_and_answers(run: Run, cache: Path) -> None:
    before = json.loads(run("catalog", "list", "parts", "--json").out)["catalog_hash"]
    ran = run("catalog", "refresh")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("warning: nothing was refreshed: gpuhunt is not installed")
    assert "the catalog keeps its prices of 2026-05-20 to 2026-11-09" in ran.err
    assert not cache.exists()
    said = json.loads(run("catalog", "refresh", "--json").out)
    assert said["catalog_hash"] == before
    assert (said["file"], said["sha256"], said["offers"]) == (None, None, None)
    assert said["warnings"] == [ran.err.strip().removeprefix("warning: ")]


def test_without_a_network_earlier_prices_stay(
    run: Run, cache: Path, skypilot: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("catalog", "refresh", "--from", str(skypilot), "--provider", "lambda")
    path = cache / "prices" / "lambda.csv"
    before = path.read_bytes()

    def unavailable(_provider: str | None) -> None:
        raise SourceUnavailable("gpuhunt cannot reach its catalogs: no route")

    monkeypatch.setattr("catalog.price_sources.from_gpuhunt", unavailable)
    ran = run("catalog", "refresh", "--provider", "lambda")
    assert (ran.code, ran.out) == (0, "")
    assert f"{path} stays as it is" in ran.err
    assert path.read_bytes() == before


def test_a_file_of_skypilot_becomes_prices_that_a_specification_pins(
    run: Run, cache: Path, skypilot: Path, tmp_path: Path
) -> None:
    command = ("catalog", "refresh", "--from", str(skypilot), "--provider", "Lambda", "--date", "2026-11-20")
    ran = run(*command)
    assert (ran.code, ran.err) == (0, "")
    path = cache / "prices" / "lambda.csv"
    digest = sha256(path.read_bytes()).hexdigest()
    assert ran.out.startswith("1 price (SkyPilot vms.csv, 2026-11-20), 1 other than the catalog's")
    said = json.loads(run(*command, "--json").out)
    assert (said["file"], said["sha256"], said["offers"], said["changed"]) == (str(path), digest, 1, 1)
    assert said["warnings"] == []

    printed = "\n".join(ran.out.splitlines()[2:])
    spec = tmp_path / "spec.yaml"
    spec.write_text(SMALL.replace("inventory:", printed), encoding="utf-8")
    answer = json.loads(run("solve", str(spec), "--json").out)
    (pool,) = answer["design"]["pools"]
    assert (pool["offer"], pool["price_kind"], pool["price_date"]) == (LAMBDA, "override", "2026-11-20")
    assert pool["price_source"] == "lambda.csv:2 (SkyPilot vms.csv)"
    assert answer["prices"] == {"file": str(path), "sha256": digest, "offers": 1, "admitted": 1}

    path.write_text(path.read_text(encoding="utf-8").replace("0.5", "0.4"), encoding="utf-8")
    changed = run("solve", str(spec))
    assert (changed.code, changed.out) == (2, "")
    assert "is not the file that sha256 pins" in changed.err


def test_prices_are_of_today_and_go_where_they_are_asked_to_go(run: Run, skypilot: Path, tmp_path: Path) -> None:
    out = tmp_path / "own.csv"
    assert run("catalog", "refresh", "--from", str(skypilot), "--provider", "lambda", "-o", str(out)).code == 0
    assert out.read_text(encoding="utf-8").splitlines() == [
        "offer,usd_per_hour,date,currency,note",
        f"{LAMBDA},0.5,{date.today()},USD,SkyPilot vms.csv",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--from", "{file}"), "--provider"),
        (("--from", "{file}", "--provider", "lamda"), "did you mean: lambda"),
        (("--from", "{file}", "--provider", "lambda", "--date", "yesterday"), "YYYY-MM-DD"),
        (("--from", "{file}", "--provider", "aws"), "none of its 1 prices is of an offer of the catalog"),
        (("--from", "missing.csv", "--provider", "aws"), "missing.csv: cannot be read"),
        (("--from", "{file}", "--provider", "lambda", "-o", "{file}/x.csv"), "cannot be written"),
        (("--provider", "coreweave"), "gpuhunt has no prices of coreweave"),
    ],
)
def test_bad_input_is_refused_and_writes_nothing(
    run: Run, cache: Path, skypilot: Path, options: tuple[str, ...], message: str
) -> None:
    ran = run("catalog", "refresh", *(option.format(file=skypilot) for option in options))
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert not cache.exists()


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.delenv("ROOFPLAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "roofplan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "roofplan"
