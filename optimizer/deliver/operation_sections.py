"""The design over time: the bill of following the periods, growth, and what a failure takes."""

from __future__ import annotations

from optimizer.deliver.design_sections import counted
from optimizer.deliver.figures import dollars, long_duration, percent
from optimizer.deliver.page import GLUE, Section, packed
from optimizer.outcome import FailureOut, GrowthOut, LossOut, Outcome, PeriodOut, ProfileOut, VerifiedBy

# So many periods are printed one by one.
_FEW_PERIODS = 6


def periods(outcome: Outcome, most_lines: int) -> Section:
    """The autoscaled bill beside the flat one, and the replicas of each period; empty without a profile."""
    profile = outcome.profile
    if profile is None:
        return Section("Periods", ())
    laws = "" if profile.verified_by is VerifiedBy.SIMULATION else " by the laws alone"
    month = "" if outcome.growth is None else f", in month {outcome.growth.months}"
    ahead = [] if profile.idle_is_paid else [_warm(profile)]
    return packed("Periods", [f"{_bill(profile)}{month}", f"{_replicas(profile.periods)}{laws}", *ahead], most_lines)


def _bill(profile: ProfileOut) -> str:
    flat = f"{dollars(profile.flat_usd_per_month)}/month"
    if profile.idle_is_paid:
        return f"{flat} whatever runs: owned machines cost the same idle"
    if profile.autoscaled_usd_per_month == profile.flat_usd_per_month:
        return f"{flat}, autoscaled or not"
    saved = 1.0 - profile.autoscaled_usd_per_month / profile.flat_usd_per_month
    return f"autoscaled {dollars(profile.autoscaled_usd_per_month)}, {percent(saved)} less than {flat}"


def _replicas(each: tuple[PeriodOut, ...]) -> str:
    if len(each) <= _FEW_PERIODS:
        needed = ", ".join(f"{period.replicas:,}{GLUE}({period.hours:g}{GLUE}h)" for period in each)
        return f"replicas {needed}"
    numbers = [period.replicas for period in each]
    return f"{min(numbers):,} to {counted(max(numbers), 'replica')} in {len(each)} periods"


def _warm(profile: ProfileOut) -> str:
    if profile.warm_pool_usd_per_month is None or profile.cold_start_s is None:
        return "cold starts not priced"
    return f"{dollars(profile.warm_pool_usd_per_month)} for starting {long_duration(profile.cold_start_s)} ahead"


def growth(outcome: Outcome, most_lines: int) -> Section:
    """When replicas must be added, how long the design lasts, and what buying late saves; empty without growth."""
    if outcome.growth is None:
        return Section("Growth", ())
    return packed("Growth", _growth(outcome.growth), most_lines)


def _growth(growth: GrowthOut) -> list[str]:
    today, *later = growth.steps
    steps = "".join(f", {step.replicas:,} from month {step.month}" for step in later) or " last to the end"
    bills = [
        f"{dollars(growth.usd_from_the_start)} in {growth.months} months",
        f"{dollars(growth.usd_as_it_grows)} bought as it grows",
        *([] if growth.usd_autoscaled is None else [f"{dollars(growth.usd_autoscaled)} autoscaled"]),
    ]
    return [
        f"{counted(today.replicas, 'replica')} today{steps}",
        f"this design lasts {growth.design_lasts_months:.3g} months",
        ", ".join(bills),
    ]


def failure(outcome: Outcome, most_lines: int) -> Section:
    """What an accelerator and an instance take with them, and the price of one more spare; empty where not asked."""
    if outcome.failure is None:
        return Section("Failure", ())
    return packed("Failure", _failure(outcome.failure), most_lines)


def _failure(failure: FailureOut) -> list[str]:
    accelerator, instance = failure.one_accelerator, failure.one_instance
    takes = "is a replica" if accelerator.accelerators == 1 else f"takes its replica of {accelerator.accelerators}"
    pieces = [f"an accelerator {takes}: {_loss(accelerator)}"]
    if instance.replicas != accelerator.replicas:
        pieces.append(f"an instance takes {instance.replicas}: {_loss(instance)}")
    spare = failure.one_more_spare_usd_per_hour
    return [*pieces, "the caps leave no room for a spare" if spare is None else f"one more spare +{dollars(spare)}/h"]


def _loss(loss: LossOut) -> str:
    if loss.load is None:
        return "none is left"
    return f"{loss.replicas_left:,} left, load {percent(loss.load)}, limits {'hold' if loss.limits_hold else 'broken'}"
