"""Errors of the optimizer.

    RoofplanError
    ├── QuestionError        the specification or the cases cannot be asked of this catalog (exit 2)
    └── InternalError        a bug of ours (exit 1)
        ├── SolverError      CP-SAT refused a model that we built
        └── VerificationError  the design returned does not pass the evaluation that built it

An infeasible specification is a result, not an error.
"""


class RoofplanError(Exception):
    """Base of every error that the optimizer raises on purpose."""


class QuestionError(RoofplanError):
    """The question cannot be asked: bad input, with the fix in its message."""


class InternalError(RoofplanError):
    """A bug of ours."""


class SolverError(InternalError):
    """CP-SAT refused a model that we built, or ended in a state that has no meaning."""


class VerificationError(InternalError):
    """The design that the solver returned does not pass the evaluation that built its column."""
