"""The command line: `roofplan ask | init | solve | inverse | predict | catalog`.

Importing it loads typer and nothing heavier; a command imports what it needs when it runs.
"""

from optimizer.cli.app import app, main

__all__ = ["app", "main"]
