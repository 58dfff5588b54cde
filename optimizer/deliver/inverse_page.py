"""The page of `roofplan inverse`: the hardware that would be just enough, then the parts that exist beside it."""

from __future__ import annotations

from shlex import quote

from rich.text import Text

from optimizer.deliver import inverse_sections
from optimizer.deliver.design_sections import machines_text
from optimizer.deliver.figures import dollars
from optimizer.deliver.page import Section, page
from optimizer.outcome import Cost, Design, MinimumHardware


def render_inverse(hardware: MinimumHardware, design: Design, cost: Cost, source_name: str) -> Text:
    """The page; `source_name` is the path of the specification as the reader would type it."""
    verdict = Text.assemble(
        ("Just enough hardware", "bold"),
        " in place of ",
        (machines_text(design.pools[0]), "bold"),
        f" at {dollars(cost.usd_per_hour)}/h",
    )
    return page(
        verdict,
        (
            (inverse_sections.needs(hardware),),
            (inverse_sections.best_count(hardware),),
            (inverse_sections.enough(hardware), inverse_sections.nearly(hardware)),
            (inverse_sections.break_even(hardware),),
            (Section("Next", (Text(f"roofplan inverse {quote(source_name)} --json"),)),),
        ),
    )
