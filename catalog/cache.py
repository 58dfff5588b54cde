"""Where what was fetched is kept between runs."""

import os
from pathlib import Path

CACHE_VARIABLE = "ROOFPLAN_CACHE"


def cache_dir() -> Path:
    """Return the folder: ROOFPLAN_CACHE, else `roofplan` in XDG_CACHE_HOME or in ~/.cache; it may not exist yet."""
    own = os.environ.get(CACHE_VARIABLE)
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "roofplan"
