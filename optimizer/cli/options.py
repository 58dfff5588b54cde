"""Options that several commands have, and the version of what `--json` prints."""

from typing import Annotated

import typer

SCHEMA_VERSION = 1
"""Of the JSON objects of commands that print no answer of `solve`."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]

MOST_DRAFTED = 32
DEFAULT_DRAFTED = 4
Drafted = Annotated[
    int, typer.Option(min=1, max=MOST_DRAFTED, help="Tokens that speculative decoding drafts per step.")
]
Acceptance = Annotated[
    float | None, typer.Option(min=0.0, max=1.0, metavar="SHARE", help="Chance that a drafted token is accepted.")
]
DraftCost = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, metavar="STEPS", help="Time to draft a token, in decode steps of the model."),
]
