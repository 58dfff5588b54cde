"""What a check of the catalog reports."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error is data that must not be shipped; a warning is a known weakness of it."""

    ERROR = "error"
    WARNING = "warning"


class Check(StrEnum):
    """The rule that a finding breaks."""

    PHYSICS = "physics"
    EVIDENCE = "evidence"
    DIMENSIONS = "dimensions"
    PARAMETERS = "parameters"
    REFERENCE = "reference"
    SOURCE = "source"
    HOST_LINK = "host_link"
    SPOT_PRICE = "spot_price"
    MEDIAN_PRICE = "median_price"
    PRICE_RANGE = "price_range"
    MONOTONE_PRICE = "monotone_price"
    REGION_UNKNOWN = "region_unknown"


@dataclass(frozen=True, order=True)
class Finding:
    """One broken rule: which, about what, and what was read against what is allowed."""

    severity: Severity
    check: Check
    subject: str
    message: str


def error(check: Check, subject: str, message: str) -> Finding:
    """Return a finding that forbids shipping."""
    return Finding(Severity.ERROR, check, subject, message)


def warning(check: Check, subject: str, message: str) -> Finding:
    """Return a finding that is known and accepted."""
    return Finding(Severity.WARNING, check, subject, message)
