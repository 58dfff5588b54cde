import pytest
from hypothesis import given
from hypothesis import strategies as st

from requirements_specs.ask.spelling import bare, close_match, edit_distance

WORDS = st.text("abc1", max_size=6)


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("abc", "ab", 1), ("abc", "acb", 1), ("lama", "llama", 1)],
)
def test_slips_are_counted(one: str, other: str, slips: int) -> None:
    assert edit_distance(one, other) == edit_distance(other, one) == slips


@given(WORDS, WORDS)
def test_slips_are_none_for_one_word_only_and_no_more_than_its_letters(one: str, other: str) -> None:
    slips = edit_distance(one, other)
    assert (slips == 0) == (one == other)
    assert abs(len(one) - len(other)) <= slips <= max(len(one), len(other))


def test_a_close_match_is_one_name_with_the_same_numbers() -> None:
    names = ("llama318b", "llama3170b", "mistral7b", "lambda", "nebius")
    assert close_match("lama318b", names) == "llama318b"
    assert close_match("lmaa3170b", names) == "llama3170b"
    assert close_match("llama319b", names) is None
    assert close_match("lamda", names) == "lambda"
    assert close_match("bart", ("cart", "dart")) is None
    assert close_match("zzz", names) is None


def test_signs_and_capitals_do_not_tell_names_apart() -> None:
    assert bare("Llama-3.1 70B") == bare("llama_3.1_70b") == "llama3170b"
