import pytest

from requirements_specs.errors import UnknownNameError
from requirements_specs.known import KnownNames, nearest, resolve


@pytest.mark.parametrize("name", ["h100-sxm-80gb", "H100_SXM", "h100 sxm", " H100-SXM-80GB "])
def test_spellings_of_one_name(names: KnownNames, name: str) -> None:
    assert resolve(name, names.accelerators, "accelerator") == "h100-sxm-80gb"


def test_a_set_of_names_is_its_own_canon(names: KnownNames) -> None:
    assert resolve("AWS", names.providers, "provider") == "aws"


def test_an_ambiguous_name_lists_what_it_may_mean(names: KnownNames) -> None:
    assert resolve("A100_80GB", names.accelerators, "accelerator") == "a100-pcie-80gb"
    with pytest.raises(UnknownNameError, match="ambiguous accelerator") as error:
        resolve("A100 80GB", names.accelerators, "accelerator")
    assert error.value.fix == "a100-pcie-80gb or a100-sxm-80gb"


def test_an_unknown_name_lists_the_nearest(names: KnownNames) -> None:
    with pytest.raises(UnknownNameError) as error:
        resolve("h100", names.accelerators, "accelerator")
    assert error.value.fix == "h100-sxm-80gb or h100-nvl-94gb or h100-pcie-80gb"
    with pytest.raises(UnknownNameError) as error:
        resolve("zzzz", names.accelerators, "accelerator")
    assert error.value.fix is None
    assert error.value.allowed is not None
    assert "a100-pcie-80gb" in error.value.allowed


def test_a_long_list_is_counted_not_shown() -> None:
    with pytest.raises(UnknownNameError) as error:
        resolve("zzzz", {f"offer-{i}" for i in range(1000)}, "offer")
    assert error.value.allowed == "one of 1,000 offers in the catalog"


def test_nearest_prefers_what_the_word_begins() -> None:
    candidates = ("p99", "peak_factor", "request_rate", "prompt_tokens")
    assert nearest("request", candidates) == ("request_rate",)
    assert nearest("p999", candidates) == ("p99",)
    assert nearest("input_len", candidates) == ("prompt_tokens",)
    assert nearest("", candidates) == ()
    assert nearest("x" * 10_000, candidates) == ()
