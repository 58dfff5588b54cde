"""Predicted against measured as an SVG, the same bytes for the same points.

What is drawn are medians of bins, never single runs: some of the published files may be used but not passed on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import ceil, exp, floor, log, log10
from statistics import median
from xml.sax.saxutils import escape

from optimizer.calibration.score.sections import Plot, Point

# Runs of a group whose measured values are within this factor share a bin, and a bin of fewer runs is not drawn.
BIN_FACTOR = 1.5
FEWEST_IN_A_BIN = 3

SIDE, MARGIN, LEGEND_WIDTH, LINE_HEIGHT, RADIUS = 320, 52, 250, 15, 3
# Distinct for the colour-blind (Okabe and Ito), then once more as rings.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")


def binned(points: Iterable[Point]) -> tuple[Point, ...]:
    """Medians of the bins of each group, in the order of their groups and measured values."""
    bins: dict[tuple[str, int], list[Point]] = defaultdict(list)
    for point in points:
        bins[point.group, floor(log(point.measured) / log(BIN_FACTOR))].append(point)
    return tuple(
        Point(
            group,
            exp(median(log(point.measured) for point in inside)),
            exp(median(log(point.predicted) for point in inside)),
        )
        for (group, _), inside in sorted(bins.items())
        if len(inside) >= FEWEST_IN_A_BIN
    )


def svg(plot: Plot) -> str:
    """The plot: a square with both axes alike, decades as ticks, the line of equality and factors of two beside it.

    Raises ValueError for a plot without points.
    """
    if not plot.points:
        raise ValueError(f"{plot.name} has no points")
    values = [value for point in plot.points for value in (point.measured, point.predicted)]
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    high = max(high, low + 1)
    groups = sorted({point.group for point in plot.points})
    height = MARGIN + max(SIDE, LINE_HEIGHT * len(groups)) + MARGIN
    width = MARGIN + SIDE + LEGEND_WIDTH

    def place(value: float) -> float:
        return SIDE * (log10(value) - low) / (high - low)

    def at(measured: float, predicted: float) -> tuple[str, str]:
        return f"{MARGIN + place(measured):.1f}", f"{MARGIN + SIDE - place(predicted):.1f}"

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<clipPath id="square"><rect x="{MARGIN}" y="{MARGIN}" width="{SIDE}" height="{SIDE}"/></clipPath>',
        f'<rect x="{MARGIN}" y="{MARGIN}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#888888"/>',
        f'<text x="{MARGIN}" y="{MARGIN - 14}">{escape(plot.quantity)}</text>',
        f'<text x="{MARGIN + SIDE / 2:.1f}" y="{MARGIN + SIDE + 34}" text-anchor="middle">measured</text>',
        f'<text x="14" y="{MARGIN + SIDE / 2:.1f}" text-anchor="middle" '
        f'transform="rotate(-90 14 {MARGIN + SIDE / 2:.1f})">predicted</text>',
    ]
    for factor, dash in ((1.0, "none"), (2.0, "3 3"), (0.5, "3 3")):
        (x1, y1), (x2, y2) = at(10.0**low, factor * 10.0**low), at(10.0**high, factor * 10.0**high)
        drawn.append(
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#888888" stroke-dasharray="{dash}" '
            'clip-path="url(#square)"/>'
        )
    for decade in range(low, high + 1):
        x, y = at(10.0**decade, 10.0**decade)
        drawn.append(f'<text x="{x}" y="{MARGIN + SIDE + 16}" text-anchor="middle">{_tick(decade)}</text>')
        drawn.append(f'<text x="{MARGIN - 6}" y="{y}" text-anchor="end" dy="4">{_tick(decade)}</text>')
    for number, group in enumerate(groups):
        colour, again = COLOURS[number % len(COLOURS)], number // len(COLOURS)
        paint = f'fill="{colour}"' if again == 0 else f'fill="none" stroke="{colour}"'
        for point in plot.points:
            if point.group == group:
                x, y = at(point.measured, point.predicted)
                drawn.append(f'<circle cx="{x}" cy="{y}" r="{RADIUS}" {paint}/>')
        y_text = MARGIN + LINE_HEIGHT * (number + 1)
        x_text = MARGIN + SIDE + 16
        drawn.append(f'<circle cx="{x_text}" cy="{y_text - 4}" r="{RADIUS}" {paint}/>')
        drawn.append(f'<text x="{x_text + 8}" y="{y_text}">{escape(group)}</text>')
    return "\n".join([*drawn, "</svg>", ""])


def _tick(decade: int) -> str:
    return f"{10.0**decade:g}"
