"""One pipeline of an engine with continuous batching, step by step or jumping over steps in which nothing changes.

The schedule is vLLM V1's. A step gives every decoding sequence one token, goes on with the prompt that is partly
computed, and admits from the head of the queue, while the token budget, the slots and the KV cache have room; a prompt
that exceeds the budget goes in chunks. Where a running sequence finds no free KV block, the one that was admitted last
is preempted: it loses its cache, returns to the head of the queue and computes its prompt and its answer so far again;
nobody is admitted in that step.

Only prompts, arrivals, ends and a full cache change a step, so the steps between them are jumped over: k of them take
k·decode(N).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import ceil, inf
from typing import NamedTuple

from optimizer.traffic.simulate.steps import PipelineSteps
from optimizer.traffic.simulate.work import Work

# An end is one integer, its step above these bits and its request in them: integers compare faster than tuples.
_REQUEST_BITS = 32
_REQUEST_MASK = (1 << _REQUEST_BITS) - 1
# In place of its last step, while the prompt of a request is not whole.
_NOT_YET = 0


@dataclass(frozen=True)
class EngineLimits:
    """Limits of one pipeline: tokens of a step, sequences at once, and KV blocks of so many tokens."""

    token_budget: int
    max_num_seqs: int
    kv_blocks: int
    kv_block_tokens: int

    @property
    def slots(self) -> int:
        """Most sequences at once: each takes at least one token of the budget."""
        return min(self.max_num_seqs, self.token_budget)


class Chunk(NamedTuple):
    """Prompt tokens that a step computes of a request, after those that earlier steps have computed."""

    request: int
    tokens: int
    computed: int


class Pipeline:
    """One pipeline; requests are submitted in the order of their arrival, and time is advanced.

    `preemptions` counts them. With `skipping` off every step is walked.
    """

    def __init__(self, steps: PipelineSteps, limits: EngineLimits, work: Work, *, skipping: bool = True) -> None:
        self.preemptions = 0
        self._limits = limits
        self._kv_room = limits.kv_blocks * limits.kv_block_tokens
        self._work = work
        self._skipping = skipping
        self._decode_s: list[float] = steps.decode_s.tolist()
        self._alone_s: list[list[float]] = steps.alone_s.tolist()
        self._further_chunk_s = steps.further_chunk_s
        self._time = 0.0
        self._step = 0
        self._queue: deque[int] = deque()
        self._running: dict[int, int] = {}  # the last step of each, in the order of admission
        self._ends: list[int] = []  # a heap of those that decode
        self._kv_tokens = 0  # of all that run
        self._partial: Chunk | None = None  # the one prompt that is not whole yet; the last of those that run

    def submit(self, request: int) -> None:
        """Queue a request, whose arrival may lie ahead; one that the KV cache can never hold is not served."""
        work = self._work
        if self._blocks(work.prompt[request] + work.output[request] - 1) <= self._limits.kv_blocks:
            self._queue.append(request)

    @property
    def load(self) -> int:
        """Requests submitted and not yet ended."""
        return len(self._queue) + len(self._running)

    @property
    def kv_blocks_in_use(self) -> int:
        """KV blocks that the running requests hold."""
        return sum(self._blocks(self._tokens_of(request)) for request in self._running)

    def advance(self, until_s: float) -> None:
        """Run every step that starts before a time."""
        arrival_s, queue, running, ends, decode_s = (
            self._work.arrival_s,
            self._queue,
            self._running,
            self._ends,
            self._decode_s,
        )
        slots, kv_room, block = self._limits.slots, self._kv_room, self._limits.kv_block_tokens
        time = self._time
        while time < until_s:
            occupied = len(running)
            preempted = False
            # While even the widest blocks have room for one more token each, nobody need count them.
            if self._kv_tokens + occupied * block > kv_room:
                preempted = self._make_room()
                occupied = len(running)
            next_s = arrival_s[queue[0]] if queue else inf
            if not occupied and next_s > time:
                if next_s >= until_s:
                    return
                self._time = time = next_s
            admitting = next_s <= time and occupied < slots and not preempted
            if admitting or self._partial is not None:
                chunks = self._schedule(admitting=admitting)
                if chunks:
                    time = self._prefill(chunks)
                    continue
                preempted |= len(running) < occupied
                occupied = len(running)
            # Whoever waits beside free slots waits for room in the cache, and that comes with an end.
            change_s = until_s if next_s <= time or occupied == slots or next_s > until_s else next_s
            step_s = decode_s[occupied]
            steps = 1
            if self._skipping and not preempted:
                steps = (ends[0] >> _REQUEST_BITS) - self._step
                if steps * step_s > change_s - time:
                    steps = min(steps, max(ceil((change_s - time) / step_s), 1))
                if self._kv_tokens + occupied * (steps + block - 1) > kv_room:
                    steps = max((kv_room - self._kv_tokens) // occupied - (block - 1), 1)
            self._time = time = time + steps * step_s
            self._step += steps
            self._kv_tokens += occupied * steps
            if ends[0] < (self._step + 1) << _REQUEST_BITS:
                self._end_those_due()

    def _schedule(self, *, admitting: bool) -> list[Chunk]:
        """Prompts of the next step: the partial one, and where `admitting` those at the head of the queue.

        Empty if there is no room in the cache for any; a partial prompt is then preempted.
        """
        work, queue, running = self._work, self._queue, self._running
        kv_room, ragged = self._kv_room, self._limits.kv_block_tokens - 1
        chunks: list[Chunk] = []
        decoding = len(running) - (self._partial is not None)
        budget = self._limits.token_budget - decoding
        kv_tokens = self._kv_tokens + decoding
        if self._partial is not None:
            request, _, computed = self._partial
            chunk = Chunk(request, min(work.to_compute[request] - computed, budget), computed)
            kv_tokens += chunk.tokens
            if kv_tokens + len(running) * ragged > kv_room and not self._have_room([chunk]):
                self._preempt_last()
                return []
            chunks.append(chunk)
            budget -= chunk.tokens
        while admitting and budget and queue and len(running) < self._limits.slots:
            request = queue[0]
            if work.arrival_s[request] > self._time:
                break
            chunk = Chunk(request, min(work.to_compute[request], budget), 0)
            kv_tokens += work.kv_tokens(request, chunk.tokens)
            if kv_tokens + (len(running) + 1) * ragged > kv_room and not self._have_room([*chunks, chunk]):
                break
            queue.popleft()
            running[request] = _NOT_YET
            chunks.append(chunk)
            budget -= chunk.tokens
        return chunks

    def _prefill(self, chunks: list[Chunk]) -> float:
        """Take the step that computes these chunks; returns the time at its end."""
        work, running = self._work, self._running
        to_compute = work.to_compute
        decoding = len(running) - len(chunks)
        lead = chunks[0] if len(chunks) == 1 else max(chunks, key=lambda chunk: chunk.tokens)
        request, tokens, _ = lead
        place, alone_s = work.place[request], self._alone_s[decoding]
        whole_s = alone_s[place] + work.share[request] * (alone_s[place + 1] - alone_s[place])
        time = self._time + self._decode_s[decoding] + whole_s * tokens / to_compute[request]
        for chunk in chunks:
            request, tokens, computed = chunk
            if chunk is not lead:
                time += work.beside_s[request] * tokens / to_compute[request]
                if computed:
                    time += self._further_chunk_s
            self._kv_tokens += tokens if computed else work.kv_tokens(request, tokens)
        self._time = time
        self._step += 1
        self._kv_tokens += decoding
        ends = self._ends
        if ends and ends[0] < (self._step + 1) << _REQUEST_BITS:
            self._end_those_due()
        self._partial = None
        for request, tokens, computed in chunks:
            if computed + tokens < to_compute[request]:
                self._partial = Chunk(request, 0, computed + tokens)
                continue
            answered = work.answered[request] + 1
            if answered == 1:
                work.first_s[request] = time
            if answered == work.output[request]:
                self._end(request)
            else:
                running[request] = last = self._step + work.output[request] - answered
                heappush(ends, last << _REQUEST_BITS | request)
        return time

    def _end_those_due(self) -> None:
        """End the requests whose last token came with the step that was taken."""
        due = (self._step + 1) << _REQUEST_BITS
        while self._ends and self._ends[0] < due:
            self._end(heappop(self._ends) & _REQUEST_MASK)

    def _end(self, request: int) -> None:
        work = self._work
        work.end_s[request] = self._time
        del self._running[request]
        self._kv_tokens -= work.prompt[request] + work.output[request] - 1

    def _make_room(self) -> bool:
        """Preempt until every decoding sequence finds a block for its next token; whether any was preempted."""
        before = self.preemptions
        free = self._limits.kv_blocks - self.kv_blocks_in_use
        decoding = [request for request, last in self._running.items() if last != _NOT_YET]
        for request in decoding:
            if request not in self._running:
                break  # it was preempted itself, and so were all after it
            if self._tokens_of(request) % self._limits.kv_block_tokens:
                continue
            while not free and request in self._running:
                free += self._preempt_last()
            free -= request in self._running
        return self.preemptions > before

    def _preempt_last(self) -> int:
        """Send the request that was admitted last back to the head of the queue; returns the blocks that it held."""
        work = self._work
        request = next(reversed(self._running))
        tokens = self._tokens_of(request)
        last = self._running.pop(request)
        if last == _NOT_YET:
            self._partial = None
        else:
            self._ends.remove(last << _REQUEST_BITS | request)
            heapify(self._ends)
            work.lose(request, work.output[request] - (last - self._step))
        self._kv_tokens -= tokens
        self._queue.appendleft(request)
        self.preemptions += 1
        return self._blocks(tokens)

    def _have_room(self, chunks: list[Chunk]) -> bool:
        """Whether the cache holds what runs after a step with these chunks."""
        needed = sum(
            self._blocks(self._work.kv_tokens(chunk.request, chunk.computed + chunk.tokens)) for chunk in chunks
        )
        decoding = self._running.keys() - {chunk.request for chunk in chunks}
        needed += sum(self._blocks(self._tokens_of(request) + 1) for request in decoding)
        return needed <= self._limits.kv_blocks

    def _tokens_of(self, request: int) -> int:
        """Tokens of a running request in the cache."""
        work, last = self._work, self._running[request]
        if last != _NOT_YET:
            return work.prompt[request] + work.output[request] - (last - self._step) - 1
        return work.kv_tokens(request, 0 if self._partial is None else self._partial.computed)

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self._limits.kv_block_tokens)
