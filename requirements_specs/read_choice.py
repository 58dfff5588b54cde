"""A pin, a list or a range of integers -> a choice."""

from requirements_specs import convert
from requirements_specs.section import Section
from requirements_specs.serving import IntegerChoice
from requirements_specs.source import Mapping

_RANGE_KEYS = ("min", "max")


def read_choice(section: Section, key: str) -> IntegerChoice | None:
    """Return the choice under `key`: `4`, `[2, 4]`, or `{min: 2, max: 8}` with either end left out."""
    positive = convert.whole_number(1)
    if not isinstance(section.node(key), Mapping):
        values = section.values(key, positive)
        return None if values is None else IntegerChoice(values=tuple(sorted(values)))
    ends = section.section(key, _RANGE_KEYS)
    if ends is None:
        return None
    least, greatest = ends.value("min", positive), ends.value("max", positive)
    if ends.is_empty:
        ends.refuse("neither min nor max is given", allowed="{min: 2, max: 8}, with either end left out")
        return None
    if least is not None and greatest is not None and least > greatest:
        ends.refuse("min is greater than max", read=f"min {least}, max {greatest}", allowed="min ≤ max")
        return None
    return IntegerChoice(least=least or 1, greatest=greatest)
