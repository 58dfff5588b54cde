"""The optimum under simulated requests: a design that they refuse is cut off, and the model is solved again."""

from optimizer.verification.fleet import design_fleet
from optimizer.verification.judge import Judge
from optimizer.verification.rounds import MOST_ROUNDS, Verified, verified

__all__ = ["MOST_ROUNDS", "Judge", "Verified", "design_fleet", "verified"]
