"""What a question brings: models and parts in a copy of the catalog, which itself stays as it is."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.parts import Evidence
from catalog.read import Snapshot, load
from optimizer.additions import Additions, read_question
from optimizer.answers import Answer
from optimizer.solve import answer
from requirements_specs.errors import InvalidSpecError, ValueProblem
from requirements_specs.restate import restate

CONFIGS = Path(__file__).parents[1] / "catalog" / "huggingface" / "configs"
SPEC = """\
kind: serving
model: MODEL
workload: {request_rate: 2 req/s, prompt_tokens: 512 tokens, output_tokens: 100 tokens}
"""
PARTS = """\
acme-x1:
  memory: 96 GB
  memory_bandwidth: 4 TB/s
  peak: {bf16: 900 TFLOP/s, fp8: 1800 TFLOP/s}
  link: {kind: ethernet, all_to_all: 600 GB/s, domain: 8}
  pcie: gen5
  offers:
    - {provider: acme, instance: x1.1, region: lab, accelerators: 1, scale_up_domain: 1, price: $0.20/h,
       price_date: 2026-11-01}
"""
WriteSpec = Callable[..., Path]


@pytest.fixture(scope="module")
def catalog() -> Snapshot:
    return load()


@pytest.fixture
def spec_of(tmp_path: Path) -> WriteSpec:
    """Write a specification of a model, with more lines, beside a config and a file of parts."""
    (tmp_path / "own").mkdir()
    shutil.copy(CONFIGS / "qwen3_8b.json", tmp_path / "own" / "config.json")
    (tmp_path / "parts.yaml").write_text(PARTS, encoding="utf-8")

    def write(model: str, more: str = "") -> Path:
        path = tmp_path / "spec.yaml"
        path.write_text(SPEC.replace("MODEL", model) + more, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("written", ["./own/config.json", "./own", "own/config.json"])
def test_a_model_by_its_path_is_read_beside_the_spec(catalog: Snapshot, spec_of: WriteSpec, written: str) -> None:
    spec, snapshot = read_question(spec_of(written), catalog)
    assert spec.model == written
    added = snapshot.models[written]
    assert added.total_parameters == pytest.approx(catalog.models["qwen3-8b"].total_parameters, rel=1e-4)
    assert set(snapshot.models) == {*catalog.models, written}
    assert snapshot.hash == catalog.hash
    assert written not in catalog.models
    (assumed,) = (each for each in spec.assumed if each.key == "model")
    assert assumed.value == "8.19B parameters, bf16"
    assert assumed.why == f"counted from the qwen3 config {written} ({added.as_of})"
    assert restate(spec)[0].startswith(f"model {written} (8.19B parameters, bf16); ")


def test_a_mixture_states_its_active_parameters_and_what_its_file_leaves_open(
    catalog: Snapshot, spec_of: WriteSpec
) -> None:
    path = spec_of("./own")
    shutil.copy(CONFIGS / "gpt_oss_120b.json", path.parent / "own" / "config.json")
    spec, _ = read_question(path, catalog)
    assert spec.assumed[0].value == "116.79B parameters, 5.13B active, mxfp4"
    shutil.copy(CONFIGS / "gemma_3_27b.json", path.parent / "own" / "config.json")
    spec, _ = read_question(path, catalog)
    assert "its language model only; not in it: max_position_embeddings 131072, " in spec.assumed[0].why


def test_a_name_of_the_catalog_adds_nothing(catalog: Snapshot, spec_of: WriteSpec) -> None:
    spec, snapshot = read_question(spec_of("Qwen/Qwen3-8B"), catalog)
    assert snapshot is catalog
    assert spec.model == "qwen3-8b"
    assert not [each for each in spec.assumed if each.key == "model"]


def test_a_model_by_its_config_is_answered_as_that_of_the_catalog(catalog: Snapshot, spec_of: WriteSpec) -> None:
    designs = []
    for name in ("qwen3-8b", "./own"):
        spec, snapshot = read_question(spec_of(name), catalog)
        found = answer(spec, snapshot)
        assert isinstance(found, Answer)
        designs.append((found.design, found.ledger))
    assert designs[0] == designs[1]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("./none/config.json", "none/config.json: cannot be read: No such file or directory"),
        ("./parts.yaml", "parts.yaml:1:1: not valid JSON"),
        (".", "config.json: cannot be read"),
        ("no-such-model", "unknown model"),
    ],
)
def test_a_model_that_cannot_be_read_is_refused_at_its_place(
    catalog: Snapshot, spec_of: WriteSpec, written: str, said: str
) -> None:
    with pytest.raises(InvalidSpecError) as error:
        read_question(spec_of(written), catalog)
    assert "spec.yaml:2:8: model: " in str(error.value)
    assert said in str(error.value)


def test_a_hub_id_without_the_extra_says_what_to_do(
    catalog: Snapshot, spec_of: WriteSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InvalidSpecError) as error:
        read_question(spec_of("Qwen/Qwen3-9B"), catalog)
    assert "pip install 'roofplan[hub]'" in str(error.value)
    assert "did you mean: qwen3-4b or qwen3-8b" in str(error.value)
    path = spec_of("team/llm")
    (path.parent / "team" / "llm").mkdir(parents=True)
    with pytest.raises(InvalidSpecError, match=r"did you mean: \./team/llm"):
        read_question(path, catalog)


def test_a_hub_id_is_fetched_once(catalog: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(name: str) -> Path:
        asked.append(name)
        return CONFIGS / "qwen3_8b.json"

    monkeypatch.setattr("catalog.huggingface.hub.fetch_config", fetch)
    additions = Additions(catalog, tmp_path)
    first, second = additions.bring_model("org/own-8b"), additions.bring_model("org/own-8b")
    assert first is not None
    assert first is second
    assert asked == ["org/own-8b"]
    assert first.where.startswith("counted from the qwen3 config org/own-8b (sha256 ")
    for _ in range(2):
        with pytest.raises(ValueProblem, match="cannot be read"):
            additions.bring_model("./none")


def test_a_custom_part_is_known_by_name_and_admitted_without_being_measured(
    catalog: Snapshot, spec_of: WriteSpec
) -> None:
    inventory = "inventory: {custom_accelerators: parts.yaml, accelerators: [ACME_X1], providers: [acme]}\n"
    spec, snapshot = read_question(spec_of("llama-3.1-8b", inventory), catalog)
    assert spec.inventory.custom_accelerators == spec.inventory.accelerators == ("acme-x1",)
    assert not spec.inventory.estimated_parts
    assert snapshot.accelerators["acme-x1"].evidence is Evidence.ESTIMATED
    assert snapshot.hash == catalog.hash
    assert len(snapshot.offers) == len(catalog.offers) + 1
    assert [offer.id for offer in snapshot.offers] == sorted(offer.id for offer in snapshot.offers)
    (assumed,) = (each for each in spec.assumed if each.key == "inventory.custom_accelerators")
    assert assumed.value == "acme-x1 estimated"
    assert assumed.why.startswith("read from parts.yaml (sha256 ")
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    assert found.problem.space.offers[found.design.offer].accelerator == "acme-x1"
    assert found.allowed_usd_micro is None


def test_a_custom_part_competes_with_the_catalog(catalog: Snapshot, spec_of: WriteSpec) -> None:
    spec, snapshot = read_question(spec_of("llama-3.1-8b", "inventory: {custom_accelerators: parts.yaml}\n"), catalog)
    found = answer(spec, snapshot)
    assert isinstance(found, Answer)
    assert found.problem.space.offers[found.design.offer].id == "acme/x1.1/lab/on_demand"
    assert len(found.problem.space.offers) > 500


def test_a_bad_part_is_refused_at_its_place(catalog: Snapshot, spec_of: WriteSpec) -> None:
    path = spec_of("llama-3.1-8b", "inventory: {custom_accelerators: parts.yaml}\n")
    (path.parent / "parts.yaml").write_text(PARTS.replace("4 TB/s", "4 GB/s"), encoding="utf-8")
    with pytest.raises(InvalidSpecError) as error:
        read_question(path, catalog)
    assert "spec.yaml:4:34: inventory.custom_accelerators: " in str(error.value)
    assert "seconds to read its DRAM once" in str(error.value)


def test_two_parts_of_one_name_are_refused_at_its_place(catalog: Snapshot, spec_of: WriteSpec) -> None:
    path = spec_of("llama-3.1-8b", "inventory: {custom_accelerators: parts.yaml}\n")
    twin = PARTS.replace("acme-x1", "acme.x1").replace("lab", "hall")
    (path.parent / "parts.yaml").write_text(PARTS + twin, encoding="utf-8")
    with pytest.raises(InvalidSpecError) as error:
        read_question(path, catalog)
    assert "spec.yaml:4:34: inventory.custom_accelerators: " in str(error.value)
    assert "'acme.x1' means both acme-x1 and acme.x1" in str(error.value)
