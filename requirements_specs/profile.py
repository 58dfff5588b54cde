"""How a request rate changes: over the hours of a day or a week, and from month to month."""

from pydantic import Field

from requirements_specs.requirement import Frozen

CYCLES_HOURS = (24.0, 168.0)
"""A profile repeats every day or every week."""

MOST_GROWTH_MONTHS = 120


class Period(Frozen):
    """Some hours at a multiple of the stated rate."""

    hours: float = Field(gt=0)
    factor: float = Field(gt=0)


class Growth(Frozen):
    """A rate that is multiplied by 1 + `monthly` every month, for so many months from today."""

    monthly: float = Field(gt=0)
    months: int = Field(ge=1, le=MOST_GROWTH_MONTHS)

    def factor(self, month: float) -> float:
        """The rate after so many months over that of today."""
        return float((1.0 + self.monthly) ** month)
