"""Models and parts that a spec brings: who knows the catalog reads them, the spec names them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from requirements_specs.errors import InvalidSpecError, ValueProblem
from requirements_specs.known import Brought, BroughtParts, KnownNames
from requirements_specs.read import spec_from_text
from requirements_specs.serving import Assumption

Refused = Callable[[str], str]


def bring_model(written: str) -> Brought | None:
    if written == "./bad.json":
        raise ValueProblem("bad.json: hidden_size: this key is missing", allowed="a whole number")
    return Brought(written, "8B parameters", f"counted from {written}") if written.endswith(".json") else None


@pytest.fixture
def bringing(names: KnownNames) -> KnownNames:
    """Names of a catalog to which a spec can bring a model, and a part with its provider."""

    def bring_parts(written: str) -> BroughtParts:
        if written != "parts.yaml":
            raise ValueProblem(f"{written}: cannot be read")
        wider = replace(
            names,
            accelerators={**names.accelerators, "acme-x1": "acme-x1"},
            providers={*names.providers, "acme"},
        )
        return BroughtParts((Brought("acme-x1", "estimated", "read from parts.yaml"),), wider)

    return replace(names, bring_model=bring_model, bring_parts=bring_parts)


def test_a_brought_model_is_named_and_what_was_read_of_it_is_assumed(bringing: KnownNames, minimal: str) -> None:
    spec = spec_from_text(minimal.replace("llama-3.1-70b", "./own.json"), "chat.yaml", bringing)
    assert spec.model == "./own.json"
    assert spec.assumed[0] == Assumption(key="model", value="8B parameters", why="counted from ./own.json")


def test_a_name_that_brings_nothing_is_one_of_the_catalog(bringing: KnownNames, minimal: str) -> None:
    spec = spec_from_text(minimal, "chat.yaml", bringing)
    assert spec.model == "llama-3.1-70b"
    assert "model" not in {each.key for each in spec.assumed}


def test_what_is_wrong_with_a_brought_file_stands_beside_the_other_problems(bringing: KnownNames, minimal: str) -> None:
    text = minimal.replace("llama-3.1-70b", "./bad.json").replace("10 req/s", "10")
    with pytest.raises(InvalidSpecError) as error:
        spec_from_text(f"{text}inventory: {{custom_accelerators: none.yaml}}\n", "chat.yaml", bringing)
    model, rate, parts = error.value.problems
    assert str(model).startswith("chat.yaml:2:8: model: bad.json: hidden_size: this key is missing\n")
    assert rate.key == "workload.request_rate"
    assert parts.what == "none.yaml: cannot be read"


def test_names_of_brought_parts_are_known_in_the_whole_inventory(bringing: KnownNames, minimal: str) -> None:
    inventory = "inventory: {accelerators: [ACME_X1], custom_accelerators: parts.yaml, providers: [acme]}\n"
    spec = spec_from_text(minimal + inventory, "chat.yaml", bringing)
    assert spec.inventory.custom_accelerators == ("acme-x1",)
    assert spec.inventory.accelerators == ("acme-x1",)
    assert spec.inventory.providers == ("acme",)
    assert Assumption(
        key="inventory.custom_accelerators", value="acme-x1 estimated", why="read from parts.yaml"
    ) in spec.assumed  # fmt: skip


def test_who_cannot_read_files_says_so(refused: Refused, minimal: str) -> None:
    message = refused(minimal + "inventory: {custom_accelerators: parts.yaml}\n")
    assert "7:34: inventory.custom_accelerators: a file of parts cannot be read here" in message
