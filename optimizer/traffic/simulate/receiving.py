"""A pipeline of a decode pool: it decodes requests whose cache and first token come from elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from heapq import heappush

from optimizer.traffic.simulate.pipeline import Pipeline
from optimizer.traffic.simulate.steps import PipelineSteps
from optimizer.traffic.simulate.stepwise import REQUEST_BITS, EngineLimits
from optimizer.traffic.simulate.work import Work


class ReceivingPipeline(Pipeline):
    """Computes no prompt but those of requests that it preempts, which go first.

    A request arrives when its cache does, asks for two tokens at least, and gets its second one from the first step
    that has a slot for it and KV blocks for its prompt. `first_s` of its work means nothing.
    """

    def __init__(self, steps: PipelineSteps, limits: EngineLimits, work: Work) -> None:
        super().__init__(steps, limits, work)
        self._received: deque[int] = deque()

    def submit(self, requests: Iterable[int]) -> None:
        """As of every pipeline."""
        kv_at_end, kv_room = self._work.kv_at_end, self._kv_room
        self._received.extend(request for request in requests if kv_at_end[request] <= kv_room)

    @property
    def load(self) -> int:
        """Requests submitted and not yet ended."""
        return super().load + len(self._received)

    def advance(self, until_s: float) -> None:
        """Run every step that starts before a time."""
        arrival_s = self._work.arrival_s
        while self._received and arrival_s[self._received[0]] < until_s:
            next_s = arrival_s[self._received[0]]
            super().advance(next_s)
            if not super().load:
                self._time = max(self._time, next_s)
            if self._time >= until_s:
                return
            if not self._admit():
                self._take_step()
        super().advance(until_s)

    def _admit(self) -> bool:
        """Let the request that arrived first decode from the next step on; False if it has to wait."""
        work, limits, request = self._work, self._limits, self._received[0]
        running = self._running + 1
        if self._queue or self._partial is not None or running > limits.slots:
            return False
        kv_tokens, block = self._kv_tokens + work.kv_charged[request], limits.kv_block_tokens
        # While even the widest blocks have room for one more token each, nobody need count them.
        if kv_tokens + running * block > self._kv_room:
            after_a_step = work.kv_before_end(request, work.answer_steps[request] - 2)
            if self._blocks_of_decoding(1) - (-after_a_step // block) > limits.kv_blocks:
                return False
        self._received.popleft()
        self._kv_tokens = kv_tokens
        heappush(self._ends, (self._step + work.answer_steps[request] - 1) << REQUEST_BITS | request)
        self.slots_filled |= running == limits.slots
        return True
