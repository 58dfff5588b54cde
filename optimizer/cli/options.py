"""Options that several commands have, and the version of what `--json` prints."""

from typing import Annotated

import typer

SCHEMA_VERSION = 1
"""Of the JSON objects of commands that print no answer of `solve`."""

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
