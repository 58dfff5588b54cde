from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requirements_specs.source import parse
from requirements_specs.write import Value, spec_text, value_of

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
KEYS = st.text("abcdefgh_", min_size=1, max_size=6)
TEXTS = st.text(st.characters(max_codepoint=0x2FF, exclude_categories=["Cc"]), max_size=12)
VALUES = st.recursive(
    TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, min_size=1, max_size=3), min_size=1, max_size=4))
def test_what_is_written_is_read_back(tree: dict[str, Value]) -> None:
    assert value_of(parse(spec_text(tree), "spec.yaml")) == tree


@pytest.mark.parametrize("text", ["null", "~", "", " a", "a ", "a: b", "a #b", "[a", "yes", "0.1", "$60/h", "-", "é"])
def test_a_text_that_yaml_would_read_otherwise_is_quoted(text: str) -> None:
    root = parse(spec_text({"key": text, "list": [text]}), "spec.yaml")
    assert value_of(root) == {"key": text, "list": [text]}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_the_same_when_it_is_written_anew(example: Path) -> None:
    tree = value_of(parse(example.read_text(encoding="utf-8"), str(example)))
    assert isinstance(tree, dict)
    assert value_of(parse(spec_text(tree, ["a comment"]), "spec.yaml")) == tree


def test_comments_and_sections_stand_in_lines() -> None:
    text = spec_text({"kind": "serving", "slo": {"ttft": {"p99": "200 ms"}}, "engines": ["vllm", "sglang"]}, ["asked"])
    assert text == "# asked\nkind: serving\nslo:\n  ttft: {p99: 200 ms}\nengines: [vllm, sglang]\n"
