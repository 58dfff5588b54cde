"""Long properties in portions, so that workers share them; together they draw as many examples as the profile says."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import seed, settings

in_two = pytest.mark.parametrize("portion", range(2))
in_four = pytest.mark.parametrize("portion", range(4))


def examples(portion: int, count: int) -> Callable[[Any], Any]:
    """Draw so many examples, others in every portion: without a seed of its own each would draw the same."""

    def drawn(test: Any) -> Any:
        return seed(portion)(settings(max_examples=count)(test))

    return drawn
