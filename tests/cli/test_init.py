import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.read import load
from optimizer.names import known_names
from requirements_specs.read import read_spec
from requirements_specs.schema.build import PACKAGED
from requirements_specs.serving import ServingSpec
from tests.cli.conftest import Ran

Run = Callable[..., Ran]

QUIET = "llama-3.1-8b\n4 req/s\n\nttft p99 400 ms\n$20/h on lambda or runpod\n"


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def spec(path: Path) -> ServingSpec:
    return read_spec(path, known_names(load()))


def test_five_answers_make_a_spec_that_solves(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "chat.yaml"
    typed(monkeypatch, QUIET)
    ran = run("init", str(path))
    assert (ran.code, ran.out) == (0, f"written to {path}; next: roofplan solve {path}\n")
    assert ran.err.count("?") == 5
    assert "[llama-3.1-70b]" in ran.err
    read = spec(path)
    assert (read.name, read.model, read.workload.request_rate_per_s) == ("chat", "llama-3.1-8b", 4.0)
    assert (read.budget.usd_per_hour, read.inventory.providers) == (20.0, ("lambda", "runpod"))
    assert run("solve", str(path)).code == 0


def test_a_model_of_ones_own_is_asked_about_as_any_other(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Path(__file__).parents[2] / "examples" / "custom_model" / "config.json"
    path = tmp_path / "own.yaml"
    typed(monkeypatch, f"{config}\n1 req/s\n200k prompts, 300 token answers\n8k prompts, 300 token answers\n")
    ran = run("init", str(path))
    assert ran.code == 0
    assert "at most 131,072 tokens" in ran.err
    assert f"model: {config}\n" in path.read_text(encoding="utf-8")


def test_the_first_line_leads_an_editor_to_the_packaged_schema(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    assert run("init", str(path), "--yes").code == 0
    modeline, schema = path.read_text(encoding="utf-8").splitlines()[0].split("$schema=")
    assert modeline == "# yaml-language-server: "
    assert Path(schema) == PACKAGED
    assert json.loads(PACKAGED.read_text(encoding="utf-8"))["$schema"] == "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize("text", ["\n\n\n\n\n", ""])
def test_enter_and_the_end_of_the_input_take_the_defaults(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    typed(monkeypatch, text)
    assert run("init", str(tmp_path / "spec.yaml")).code == 0
    silent = run("init", str(tmp_path / "yes" / "spec.yaml"), "--yes")
    assert silent.code == 2  # no such folder
    (tmp_path / "yes").mkdir()
    silent = run("init", str(tmp_path / "yes" / "spec.yaml"), "--yes")
    assert (silent.code, silent.err) == (0, "")
    assert spec(tmp_path / "spec.yaml") == spec(tmp_path / "yes" / "spec.yaml")


def test_a_wrong_answer_is_asked_again_with_what_is_allowed(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spec.yaml"
    typed(monkeypatch, "llama-3.1-9b\nllama-3.1-8b\n4\n4 req/s\n")
    ran = run("init", str(path))
    assert ran.code == 0
    assert "did you mean: llama-3.1-8b" in ran.err
    assert "did you mean: 4 req/s" in ran.err
    assert (spec(path).model, spec(path).workload.request_rate_per_s) == ("llama-3.1-8b", 4.0)


def test_a_wrong_last_answer_is_bad_input_and_nothing_is_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spec.yaml"
    typed(monkeypatch, "llama-3.1-9b")
    ran = run("init", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines()[-1].startswith("    did you mean: llama-3.1-8b")
    assert not path.exists()


def test_a_file_that_exists_is_kept_unless_forced(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text("mine", encoding="utf-8")
    ran = run("init", str(path), "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert "--force" in ran.err
    assert path.read_text(encoding="utf-8") == "mine"
    answer = json.loads(run("init", str(path), "--yes", "--force", "--json").out)
    assert list(answer) == ["schema_version", "out", "spec"]
    assert answer["spec"]["model"] == spec(path).model


def test_a_name_that_no_file_can_have_is_bad_input(run: Run, tmp_path: Path) -> None:
    ran = run("init", str(tmp_path / ("x" * 300)), "--yes")
    assert (ran.code, ran.out) == (2, "")
    assert "cannot be written: File name too long" in ran.err
