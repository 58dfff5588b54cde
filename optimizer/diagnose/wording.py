"""Numbers and layouts in the sentences of findings."""

from __future__ import annotations

from typing import Protocol

from requirements_specs.quantity import Dimension, format_quantity

DIGITS = 3


class Degrees(Protocol):
    """Anything with the degrees of a layout."""

    @property
    def tp(self) -> int:
        """Ranks of a stage."""

    @property
    def pp(self) -> int:
        """Pipeline stages."""

    @property
    def ep(self) -> int:
        """Expert ranks."""

    @property
    def dp_attention(self) -> int:
        """Attention groups."""


def layout_name(layout: Degrees) -> str:
    """`TP4`, `TP8 PP2 EP8`."""
    others = (("PP", layout.pp), ("EP", layout.ep), ("DP", layout.dp_attention))
    return " ".join([f"TP{layout.tp}", *(f"{name}{degree}" for name, degree in others if degree > 1)])


def arrangement(replicas: int, layout: Degrees) -> str:
    """`2 × TP4`."""
    return f"{replicas} × {layout_name(layout)}"


def duration(seconds: float) -> str:
    """`0.1874` -> `187 ms`."""
    return format_quantity(seconds, Dimension.TIME, DIGITS)


def percent(share: float) -> str:
    """`0.834` -> `83 %`."""
    return f"{100 * share:.0f} %"


def count(number: float) -> str:
    """A number of tokens or requests: `833,792`, `2.4`."""
    return f"{number:,.0f}" if number >= 9.95 else f"{number:.2g}"


def sequences(number: float) -> str:
    """`1 sequence`, `128 sequences`."""
    return f"{count(number)} sequence{'' if number == 1.0 else 's'}"


def tokens_per_s(number: float) -> str:
    """`1582.2` -> `1,582 tokens/s`."""
    return f"{number:,.0f} tokens/s"
