"""What a mechanism does to a design: its figures without it and with it, and what that is worth."""

from __future__ import annotations

from dataclasses import dataclass

from optimizer.bottleneck.binding import LEAST_GAIN
from optimizer.outcome import Mechanism, Worth
from requirements_specs.quantity import Dimension, format_quantity


@dataclass(frozen=True)
class Figures:
    """A whole design by the laws of the evaluation.

    highest_rate_per_s: the most that it carries within every requirement, at the risk of the specification; 0 where it
    carries nothing. ttft_p99_s, tpot_p99_s: the point prediction at the asked rate; None where it is overloaded.
    """

    highest_rate_per_s: float
    ttft_p99_s: float | None
    tpot_p99_s: float | None


@dataclass(frozen=True)
class Setting:
    """The design with a mechanism set in one way; `figures` is None where that cannot be evaluated."""

    name: str
    figures: Figures | None


@dataclass(frozen=True)
class Resolved:
    """The specification with one key changed, solved again by the laws; the cost is None where nothing meets it."""

    key: str
    value: str
    usd_micro_per_hour: int | None


@dataclass(frozen=True)
class Effect:
    """A mechanism at the hardware, layout and number of replicas of a design.

    in_use: whether the design has it. reason: why it is worth what it is. resolved: the best design of the other
    setting, where a key of the specification stands for it and cost is the objective.
    """

    mechanism: Mechanism
    without: Setting
    using: Setting
    in_use: bool
    reason: str
    resolved: Resolved | None = None
    not_stated: bool = False

    @property
    def gain(self) -> float | None:
        """The rate that the design carries with the mechanism over that without it, less one; 0 if it cannot be said.

        None where the design carries nothing without it.
        """
        if self.without.figures is None or self.using.figures is None:
            return 0.0
        without, using = self.without.figures.highest_rate_per_s, self.using.figures.highest_rate_per_s
        return None if without == 0.0 else using / without - 1.0

    @property
    def worth(self) -> Worth:
        """What it is worth; within the precision of the highest rate it is nothing."""
        if self.not_stated:
            return Worth.NOT_STATED
        if self.without.figures is None or self.using.figures is None:
            return Worth.NOT_OFFERED
        gain = self.gain
        if gain is None:
            return Worth.NEEDED
        if abs(gain) < LEAST_GAIN:
            return Worth.NOTHING
        return Worth.GAINS if gain > 0.0 else Worth.LOSES


def percent(share: float) -> str:
    """`0.834` -> `83 %`, in the sentences of reasons."""
    return format_quantity(share, Dimension.SHARE, 2)
