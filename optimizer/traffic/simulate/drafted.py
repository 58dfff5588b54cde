"""How many tokens each step of an answer keeps where drafted tokens are verified.

A step keeps the drafts before the first that is rejected, at most K, and one token of its own; the last one keeps no
more than the answer still wants. What the steps of a request keep is drawn once and in their order, so that it does not
depend on who serves the request, or when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from optimizer.arithmetic.speculative import Speculation


Integers = NDArray[np.int64]
Kept = NDArray[np.uint8]

# Of the random numbers of a seed; those before it draw the requests.
_STREAM = 4
# So many requests are drawn at once, which bounds the memory that it takes.
_BLOCK = 4096


class DraftedAnswers:
    """Answers of n requests; steps (n,): those that decode, after the one that ends the prompt and gives a token."""

    def __init__(self, output_tokens: Integers, speculation: Speculation, seed: int) -> None:
        random = np.random.default_rng([seed, _STREAM])
        self._wanted = output_tokens - 1
        ends = np.arange(_BLOCK, len(output_tokens), _BLOCK)
        drawn = [_draw(wanted, speculation, random) for wanted in np.split(self._wanted, ends)]
        self.steps: Integers = np.concatenate([steps for steps, _ in drawn])
        self._kept = np.concatenate([kept for _, kept in drawn])
        self._next = np.cumsum(self._wanted) - self._wanted  # where in `kept` the steps of a request begin
        self._left: dict[int, list[int]] = {}

    def tokens_left(self, request: int, steps_left: int) -> int:
        """Tokens that the last so many steps of a request keep."""
        left = self._left.get(request)
        if left is None:
            kept = _cumulated(self._kept, self._next[request], self.steps[request])
            left = self._left[request] = np.maximum(self._wanted[request] - kept, 0)[::-1].tolist()
        return left[steps_left]

    def resume(self, request: int, steps_left: int) -> int:
        """The steps of a request that was preempted so many before its end, with the one that ends its prompt again."""
        self._wanted[request] = self.tokens_left(request, steps_left) - 1
        self._next[request] += self.steps[request] - steps_left
        kept = _cumulated(self._kept, self._next[request], steps_left)
        self.steps[request] = steps = int(np.searchsorted(kept, self._wanted[request]))
        del self._left[request]
        return steps + 1


def _draw(wanted: Integers, speculation: Speculation, random: np.random.Generator) -> tuple[Integers, Kept]:
    """The steps of requests that want so many tokens, (n,), and what as many steps as tokens would keep, in a row."""
    # A chance is at least that of k accepted drafts, a^k, for every k up to the number that are.
    chances = speculation.acceptance ** np.arange(speculation.drafted, 0.0, -1.0)
    rejected = np.searchsorted(chances, random.random(int(wanted.sum())), side="right")
    kept = (speculation.drafted + 1 - rejected).astype(np.uint8)
    all_kept = _cumulated(kept, 0, len(kept))
    first = np.cumsum(wanted) - wanted
    return np.searchsorted(all_kept, all_kept[first] + wanted) - first, kept


def _cumulated(kept: Kept, first: int, steps: int) -> Integers:
    """Tokens after 0, 1, 2 … steps."""
    return np.concatenate([[0], np.cumsum(kept[first : first + steps], dtype=np.int64)])
