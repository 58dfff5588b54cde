"""What hardware would be just enough."""

from optimizer.outcome.design import FormatsOut, LayoutOut
from optimizer.outcome.result import Result


class PartNumbers(Result):
    """Numbers of one accelerator: dense FLOP/s, links in one direction; null where a design does not use one."""

    memory_bytes: float
    memory_bandwidth_bytes_per_s: float
    compute_flop_per_s: float
    link_bytes_per_s: float | None


class JointPoint(Result):
    """Numbers that are enough together, none of which can be 1 % less.

    `least` is the resource that is as low as it can be alone; null for the balanced point.
    """

    least: str | None
    needs: PartNumbers


class CountOut(Result):
    """The layout that asks least of its accelerators when there are so many, and what it asks together."""

    accelerators: int
    replicas: int
    accelerators_per_replica: int
    layout: LayoutOut
    needs: PartNumbers


class Lack(Result):
    """A number of a part that is below the nearest joint point."""

    resource: str
    has: float
    needs: float


class Rented(Result):
    """The fewest accelerators of a part that meet the requirements, and the prices at which they cost the optimum.

    `listed_usd_per_hour_per_instance` is the cheapest price of the same machine among the providers, regions and
    tiers of the spec; null where there is none.
    """

    accelerators: int
    instances: int
    accelerators_per_instance: int
    layout: LayoutOut
    formats: FormatsOut
    break_even_usd_per_hour_per_accelerator: float
    break_even_usd_per_hour_per_instance: float
    listed_usd_per_hour_per_instance: float | None


class RivalOut(Result):
    """A part that was not chosen.

    `numbers`: in the design's layout and formats, null where it cannot run them. `covers`: the chosen part would do
    with these numbers; else `lacks` names what is below the nearest joint point. `meets`: as many accelerators in the
    same layout meet every requirement when evaluated. `rented` is null, with `refusal` saying why, where no number of
    accelerators meets them.
    """

    accelerator: str
    evidence: str
    numbers: PartNumbers | None
    covers: bool
    meets: bool
    lacks: tuple[Lack, ...]
    rented: Rented | None
    refusal: str | None


class MinimumHardware(Result):
    """What hardware would be just enough for the design's layout, formats and count, per accelerator.

    Each number of `alone` is enough beside the other numbers of `part`, `precision` is the matrix unit whose FLOP/s are
    quoted. `joint`, `best_count` and `parts` are empty until `roofplan inverse` fills them.
    """

    accelerator: str
    accelerators: int
    accelerators_per_replica: int
    precision: str
    part: PartNumbers
    alone: PartNumbers
    joint: tuple[JointPoint, ...] = ()
    best_count: tuple[CountOut, ...] = ()
    parts: tuple[RivalOut, ...] = ()
