"""The design over time: through the periods of a profile, as the rate grows, and when something fails."""

from optimizer.outcome.result import Result
from optimizer.outcome.simulation import VerifiedBy


class Fleet(Result):
    """So many units of the design, spares included, and what they cost while they run."""

    replicas: int
    instances: int
    accelerators: int
    usd_per_hour: float


class PeriodOut(Fleet):
    """What one period needs at least.

    `load` is the share of what its working replicas carry. `started_instances` are those that the period before does
    not need: they are paid from the cold start on before this period begins.
    """

    starts_at_hour: float
    hours: float
    factor: float
    request_rate_per_s: float
    load: float
    started_instances: int


class ProfileOut(Result):
    """The periods of a day or a week, in the last month if the rate grows, and the bill of a fleet that follows them.

    `flat_usd_per_month` is the design all the time. `warm_pool_usd_per_month` is that part of the autoscaled bill that
    is paid ahead of a rise; null where the cold start is not stated, and then the autoscaled bill lacks it.
    `idle_is_paid`: owned machines cost the same idle, so the two bills are equal. `verified_by`: what confirmed the
    replicas of each period beside the laws, at its own rate.
    """

    cycle_hours: float
    cold_start_s: float | None
    periods: tuple[PeriodOut, ...]
    flat_usd_per_month: float
    autoscaled_usd_per_month: float
    warm_pool_usd_per_month: float | None
    idle_is_paid: bool
    verified_by: VerifiedBy


class GrowthStep(Fleet):
    """A month in which the fewest replicas that carry the peak are others than the month before; 0 is today.

    A month must carry the rate that it ends with, `request_rate_per_s`.
    """

    month: int
    request_rate_per_s: float


class GrowthOut(Result):
    """A fleet that grows with the rate, by units of the design.

    `runs_out_in_month`: the first month that the fleet of today does not carry; null where it carries them all.
    `design_lasts_months`: from today until the rate is more than the design carries, if it goes on growing. Dollars
    are of all `months`: of the design from the first day, of a fleet bought as it grows, and of one that follows the
    periods, too (null without a profile). All by the laws alone.
    """

    monthly: float
    months: int
    steps: tuple[GrowthStep, ...]
    runs_out_in_month: int | None
    design_lasts_months: float
    usd_from_the_start: float
    usd_as_it_grows: float
    usd_autoscaled: float | None


class LossOut(Result):
    """What is lost at once, and whether what is left meets all limits at the peak, load cap included.

    `load` is the share of what the replicas that are left, spares among them, carry; null where none is left.
    """

    replicas: int
    accelerators: int
    replicas_left: int
    load: float | None
    limits_hold: bool


class FailureOut(Result):
    """What a failure takes: an accelerator its whole replica (all ranks of TP and PP), an instance all replicas on it.

    `one_more_spare_usd_per_hour` is what another spare replica adds to the cost: nothing where an instance has room for
    it, null where the caps leave no instance for it.
    """

    spare_replicas: int
    accelerators_per_replica: int
    one_accelerator: LossOut
    one_instance: LossOut
    one_more_spare_usd_per_hour: float | None
