"""THE evaluation: every number about a candidate comes from here.

It builds the columns that the solver sees, and it verifies the design that the solver returns: "declared feasible"
and "feasible when re-evaluated" are one computation. `evaluate` gives the figures under any load, `meets` decides
requirements under open arrivals, `full_batch` is what replicas do while the requests of a job wait.
"""

from optimizer.evaluate.arrivals import POISSON, FleetArrivals, ReplicaArrivals
from optimizer.evaluate.bound import key_rate_bound, keys_that_may_answer, least_e2e_mean_s, rate_bound
from optimizer.evaluate.candidates import KV_SHARE_PER_DEVIATION, Candidates, Physics, prepare, tabulate
from optimizer.evaluate.full_batch import FullBatch, full_batch
from optimizer.evaluate.loads import Closed, Evaluation, Load, Offline, Open, Static, evaluate, evaluate_means
from optimizer.evaluate.requirements import (
    e2e_mean_s,
    highest_rate,
    largest_ratio,
    least_statistics,
    limits_that_hold,
    limits_that_may_hold,
    meets,
    statistics_of,
)
from optimizer.evaluate.spread import StepSpread
from optimizer.evaluate.state import (
    LOWEST_RATE_PER_S,
    Laws,
    Question,
    State,
    mean_state,
    own_first_token_s,
    scenario_tables,
)

__all__ = [
    "KV_SHARE_PER_DEVIATION",
    "LOWEST_RATE_PER_S",
    "POISSON",
    "Candidates",
    "Closed",
    "Evaluation",
    "FleetArrivals",
    "FullBatch",
    "Laws",
    "Load",
    "Offline",
    "Open",
    "Physics",
    "Question",
    "ReplicaArrivals",
    "State",
    "Static",
    "StepSpread",
    "e2e_mean_s",
    "evaluate",
    "evaluate_means",
    "full_batch",
    "highest_rate",
    "key_rate_bound",
    "keys_that_may_answer",
    "largest_ratio",
    "least_e2e_mean_s",
    "least_statistics",
    "limits_that_hold",
    "limits_that_may_hold",
    "mean_state",
    "meets",
    "own_first_token_s",
    "prepare",
    "rate_bound",
    "scenario_tables",
    "statistics_of",
    "tabulate",
]
