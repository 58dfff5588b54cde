from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
