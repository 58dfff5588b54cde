"""Machines that the user owns."""

from datetime import date as Date  # noqa: N812 - a field of this name would hide it

from pydantic import Field

from requirements_specs.requirement import Frozen

OWNED = "owned"
"""The provider of owned machines."""


class OwnedMachines(Frozen):
    """Equal machines at a stated cost.

    `accelerator` is a part id and `accelerators` their number in one machine, of which there are `machines`.
    `usd_micro_per_hour` is what one machine costs while it is used: power and people, or depreciation. `scale_up` is
    the kind of link between the accelerators of a machine (`none` where there is one). `network_bytes_per_s` is of one
    machine, one direction; None where machines are not joined. `source` is the spec's name and line.
    """

    name: str
    accelerator: str
    accelerators: int = Field(ge=1)
    machines: int = Field(ge=1)
    usd_micro_per_hour: int = Field(gt=0)
    scale_up: str
    network_bytes_per_s: float | None = Field(default=None, gt=0)
    date: Date | None = None
    source: str
