"""The prefix cache of one pipeline: blocks of earlier prompts that a new prompt need not compute again.

A block is known by its number, which stands for the whole prompt up to its end, so a prompt finds its blocks from the
first one on until one is missing. The blocks of running requests are held. Those of ended ones stay idle while the
running ones leave them room; then the one goes that was released longest ago, of one prompt the last. Only whole blocks
are kept, and at least one token of a prompt is computed. A block that two running requests share takes the room of two,
as the engine here counts the tokens of each.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence


class PrefixCache:
    """The cache of one pipeline, empty at first; `blocks_of`: the blocks of each request's prompt."""

    def __init__(self, blocks_of: Sequence[Sequence[int]], block_tokens: int) -> None:
        self._blocks_of = blocks_of
        self._block_tokens = block_tokens
        self._idle: OrderedDict[int, None] = OrderedDict()  # in the order of their release
        self._holders: dict[int, int] = {}
        self._held: dict[int, list[int]] = {}  # by running request

    def tokens(self, request: int, prompt: int) -> int:
        """Tokens of a prompt that are in the cache."""
        return self._known(request, prompt) * self._block_tokens

    def trim(self, free_tokens: int) -> None:
        """Let the idle blocks go that the running requests leave no room for."""
        room = max(free_tokens, 0) // self._block_tokens
        while len(self._idle) > room:
            self._idle.popitem(last=False)

    def hold(self, request: int, prompt: int) -> None:
        """Keep what a prompt finds, now that it is admitted."""
        self._held[request] = []
        self._hold_first(request, self._known(request, prompt))

    def keep(self, request: int, prompt: int) -> None:
        """Add the blocks of a prompt that is whole now."""
        self._hold_first(request, prompt // self._block_tokens)

    def release(self, request: int) -> None:
        """Leave the blocks of a request idle that nobody else holds."""
        for block in reversed(self._held.pop(request)):
            self._holders[block] -= 1
            if not self._holders[block]:
                del self._holders[block]
                self._idle[block] = None

    def _hold_first(self, request: int, count: int) -> None:
        """Hold so many blocks of a prompt, some of which may be held already."""
        held = self._held[request]
        for block in self._blocks_of[request][len(held) : count]:
            self._idle.pop(block, None)
            self._holders[block] = self._holders.get(block, 0) + 1
            held.append(block)

    def _known(self, request: int, prompt: int) -> int:
        """Blocks of a prompt, from the first one on, that are in the cache."""
        idle, holders = self._idle, self._holders
        known = 0
        for block in self._blocks_of[request][: (prompt - 1) // self._block_tokens]:
            if block not in holders and block not in idle:
                break
            known += 1
        return known
