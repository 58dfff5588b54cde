import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran
from tests.requirements_specs.traces.writers import Request, mooncake, plain

Run = Callable[..., Ran]
REQUESTS = [Request(2.0 * i, 512, 1 + i % 9, (i % 300,)) for i in range(900)]


@pytest.fixture
def hashed(tmp_path: Path) -> str:
    path = tmp_path / "requests.jsonl"
    path.write_text(mooncake(REQUESTS), encoding="utf-8")
    return str(path)


def test_the_facts_of_a_trace(run: Run, hashed: str) -> None:
    ran = run("trace", hashed)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "Requests      900 in 30 min, 0.501 req/s"
    assert lines[1].startswith("Busiest       10 min from 0 s: 300 requests, 0.5 req/s")
    assert lines[-1] == "Prefix cache  at most 66.7 % of all prompt tokens were seen before"
    assert max(map(len, lines)) <= 100


def test_the_same_as_json(run: Run, hashed: str) -> None:
    answer = json.loads(run("trace", hashed, "--window", "5 min", "--json").out)
    assert answer["schema_version"] == 1
    assert answer["requests"] == 900
    assert answer["busiest_window"]["window_s"] == 300
    assert answer["busiest_window"]["request_rate_per_s"] == 0.5
    assert answer["busiest_window"]["prompt_tokens"]["longest"] == 512
    assert answer["busiest_window"]["correlation"] is None
    assert answer["requests_by_window"] == [150] * 5
    assert [each["scale_s"] for each in answer["index_of_dispersion"]] == [1, 10, 60]
    assert answer["prefix_hit_ceiling"] == pytest.approx(2 / 3)


def test_a_trace_without_hashes_has_the_same_keys(run: Run, hashed: str, tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_text(plain(REQUESTS[:2]), encoding="utf-8")
    bare = json.loads(run("trace", str(path), "--json").out)
    assert bare.keys() == json.loads(run("trace", hashed, "--json").out).keys()
    assert bare["prefix_hit_ceiling"] is None


def test_bad_input_ends_with_2(run: Run, hashed: str, tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_text("time,prompt_tokens,output_tokens\n1,5,5\n0,5,5\n", encoding="utf-8")
    ran = run("trace", str(path))
    assert ran.code == 2
    assert f"{path}:3: time: the times are not in order" in ran.err
    assert run("trace", hashed, "--window", "2 h").code == 2
    assert run("trace", hashed, "--window", "10").code == 2
    assert run("trace", str(tmp_path)).code == 2
