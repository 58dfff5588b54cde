"""The optimum under simulated requests: a design that they refuse is cut off, and the model is solved again."""

from optimizer.verification.fleet import at_lengths, design_fleet, trace_fleet
from optimizer.verification.judge import Judge
from optimizer.verification.periods import verified_units
from optimizer.verification.recorded import FEWEST_COUNTED
from optimizer.verification.rounds import MOST_REFUSALS, Verified, verified, with_units

__all__ = [
    "FEWEST_COUNTED",
    "MOST_REFUSALS",
    "Judge",
    "Verified",
    "at_lengths",
    "design_fleet",
    "trace_fleet",
    "verified",
    "verified_units",
    "with_units",
]
