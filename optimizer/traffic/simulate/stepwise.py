"""One pipeline of an engine with continuous batching, a step at a time.

The schedule is vLLM V1's. A step gives every decoding sequence one token, goes on with the prompt that is partly
computed, and admits from the head of the queue, while the token budget, the slots and the KV cache have room; a prompt
that exceeds the budget goes in chunks. Where a running sequence finds no free KV block, the one that was admitted last
is preempted: it loses its cache, returns to the head of the queue and computes its prompt and its answer so far again;
nobody is admitted in that step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import inf
from operator import itemgetter

from optimizer.traffic.simulate.prefix_cache import PrefixCache
from optimizer.traffic.simulate.steps import PipelineSteps
from optimizer.traffic.simulate.work import Work

# An end is one integer, its step above these bits and its request in them: integers compare faster than tuples.
REQUEST_BITS = 32
REQUEST_MASK = (1 << REQUEST_BITS) - 1


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


# A request, the prompt tokens that a step computes of it, and those that earlier steps have computed.
Chunk = tuple[int, int, int]


class StepwisePipeline:
    """One pipeline; requests are submitted in the order of their arrival, and time is advanced.

    `preemptions` counts them; `slots_filled` says whether all slots were ever taken. `cache`: where it is simulated.
    """

    def __init__(
        self, steps: PipelineSteps, limits: EngineLimits, work: Work, cache: PrefixCache | None = None
    ) -> None:
        self.preemptions = 0
        self.slots_filled = False
        self._limits = limits
        self._kv_room = limits.kv_blocks * limits.kv_block_tokens
        self._work = work
        self._cache = cache
        self._decode_s: list[float] = steps.decode_s.tolist()
        self._alone_s = steps.alone_rows_s
        self._further_chunk_s = steps.further_chunk_s
        self._time = 0.0
        self._step = 0
        self._queue: deque[int] = deque()
        self._blocked = False  # the head of the queue finds no room in the cache before an end
        self._ends: list[int] = []  # a heap of those that decode
        self._partial: Chunk | None = None  # the one prompt that is not whole yet; it was admitted last
        self._kv_tokens = 0  # of all that run; drafted tokens that will be kept beyond one a step count at once

    def submit(self, requests: Iterable[int]) -> None:
        """Queue requests, whose arrival may lie ahead; those that the KV cache can never hold are not served."""
        kv_at_end, kv_room = self._work.kv_at_end, self._kv_room
        self._queue.extend(request for request in requests if kv_at_end[request] <= kv_room)

    @property
    def load(self) -> int:
        """Requests submitted and not yet ended."""
        return len(self._queue) + self._running

    def cached_tokens(self, request: int) -> int:
        """Tokens of a prompt that this pipeline would find in its prefix cache."""
        return 0 if self._cache is None else self._cache.tokens(request, self._work.prompt[request])

    @property
    def kv_blocks_in_use(self) -> int:
        """KV blocks that the running requests hold."""
        return self._blocks_of_decoding(0) + self._blocks_of(self._chunks_so_far())

    def advance(self, until_s: float) -> None:
        """Run every step that starts before a time."""
        while self._time < until_s and self._has_work(until_s):
            self._take_step()

    @property
    def _running(self) -> int:
        return len(self._ends) + (self._partial is not None)

    def _has_work(self, until_s: float) -> bool:
        """Whether a step begins before a time; where nothing runs, it begins with the next arrival."""
        if self._running:
            return True
        next_s = self._work.arrival_s[self._queue[0]] if self._queue else inf
        if next_s >= until_s:
            return False
        self._time = max(self._time, next_s)
        return True

    def _take_step(self) -> None:
        """Take the next step; something runs, or has arrived."""
        limits, queue = self._limits, self._queue
        # While even the widest blocks have room for one more token each, nobody need count them.
        tight = self._kv_tokens + self._running * limits.kv_block_tokens > self._kv_room
        preempted = tight and self._make_room()
        waiting = bool(queue) and self._work.arrival_s[queue[0]] <= self._time
        chunks = self._schedule(admitting=waiting and self._running < limits.slots and not preempted)
        if chunks:
            self._prefill(chunks)
        else:
            self._decode()

    def _schedule(self, *, admitting: bool) -> list[Chunk]:
        """Prompts of the next step: the partial one, and where `admitting` those at the head of the queue.

        Empty if there is no room in the cache for any; a partial prompt is then preempted.
        """
        work, queue, limits, cache = self._work, self._queue, self._limits, self._cache
        chunks: list[Chunk] = []
        decoding = len(self._ends)
        budget = limits.token_budget - decoding
        kv_tokens = self._kv_tokens + decoding
        if self._partial is not None:
            request, _, computed = self._partial
            tokens = min(work.to_compute[request] - computed, budget)
            chunks.append((request, tokens, computed))
            kv_tokens += tokens
            if not self._have_room(kv_tokens, chunks):
                self._preempt_last()
                return []
            budget -= tokens
        while admitting and budget and queue and decoding + len(chunks) < limits.slots:
            request = queue[0]
            if work.arrival_s[request] > self._time:
                break
            if cache is not None:
                self._look_up(request, cache)
            tokens = min(work.to_compute[request], budget)
            chunks.append((request, tokens, 0))
            kv_tokens += work.kv_tokens(request, tokens)
            if not self._have_room(kv_tokens, chunks):
                chunks.pop()
                self._blocked = True
                break
            queue.popleft()
            if cache is not None:
                self._hold(request, cache)
            budget -= tokens
        self.slots_filled |= decoding + len(chunks) == limits.slots
        return chunks

    def _prefill(self, chunks: list[Chunk]) -> None:
        """Take the step that computes these chunks."""
        work, cache = self._work, self._cache
        to_compute = work.to_compute
        decoding = len(self._ends)
        lead = max(chunks, key=itemgetter(1))
        request, tokens, _ = lead
        node, at_nodes_s = work.place[request], self._alone_s[decoding]
        whole_s = at_nodes_s[node] + work.share[request] * (at_nodes_s[node + 1] - at_nodes_s[node])
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
        self._end_those_due()
        self._partial = None
        for request, tokens, computed in chunks:
            if computed + tokens < to_compute[request]:
                self._partial = (request, 0, computed + tokens)
                continue
            if work.first_s[request] == inf:
                work.first_s[request] = time
            if cache is not None:
                cache.keep(request, work.prompt[request])
            # what drafts will give beyond a token a step
            self._kv_tokens += work.kv_charged[request] - work.prompt[request] - work.answered[request]
            last = self._step + work.answer_steps[request] - 1
            heappush(self._ends, last << REQUEST_BITS | request)
        self._end_those_due()  # that asked for one token

    def _decode(self) -> None:
        """Take a step without a prompt."""
        decoding = len(self._ends)
        self._time += self._decode_s[decoding]
        self._step += 1
        self._kv_tokens += decoding
        self._end_those_due()

    def _look_up(self, request: int, cache: PrefixCache) -> None:
        """Find what the cache holds of the prompt at the head of the queue."""
        cache.trim(self._kv_room - self._kv_tokens)
        self._work.find(request, cache.tokens(request, self._work.prompt[request]))

    def _hold(self, request: int, cache: PrefixCache) -> None:
        """Keep what an admitted prompt found, as long as it runs."""
        work = self._work
        cache.hold(request, work.prompt[request])
        if not work.answered[request]:
            work.found[request] = work.prompt[request] - work.to_compute[request]

    def _end_those_due(self) -> None:
        """End the requests whose last token came with the step that was taken."""
        work, ends, cache = self._work, self._ends, self._cache
        due = (self._step + 1) << REQUEST_BITS
        if not ends or ends[0] >= due:
            return
        self._blocked = False
        if cache is not None:
            cache.trim(self._kv_room - self._kv_tokens)  # just before an end they take most
        while ends and ends[0] < due:
            request = heappop(ends) & REQUEST_MASK
            work.end_s[request] = self._time
            self._kv_tokens -= work.kv_at_end[request]
            if cache is not None:
                cache.release(request)

    def _make_room(self) -> bool:
        """Preempt until every decoding sequence finds a block for its next token; whether any was preempted."""
        before = self.preemptions
        while not self._fits(self._chunks_so_far()):
            self._preempt_last()
        return self.preemptions > before

    def _preempt_last(self) -> None:
        """Send the request that was admitted last back to the head of the queue."""
        work = self._work
        if self._partial is not None:
            request, _, computed = self._partial
            self._partial = None
            tokens = work.kv_tokens(request, computed)
        else:
            end = max(self._ends, key=REQUEST_MASK.__and__)  # first come, first served: it arrived last
            self._ends.remove(end)
            heapify(self._ends)
            request, left = end & REQUEST_MASK, (end >> REQUEST_BITS) - self._step
            tokens = work.kv_at_end[request] - left
            work.lose(request, left)
        self._kv_tokens -= tokens
        if self._cache is not None:
            self._cache.trim(self._kv_room - self._kv_tokens - tokens)
            self._cache.release(request)
        self._queue.appendleft(request)
        self._blocked = False
        self.preemptions += 1

    def _have_room(self, kv_tokens: int, chunks: list[Chunk]) -> bool:
        """Whether the cache holds what a step with these chunks leaves there, so many tokens."""
        running = len(self._ends) + len(chunks)
        return kv_tokens + running * (self._limits.kv_block_tokens - 1) <= self._kv_room or self._fits(chunks)

    def _fits(self, chunks: list[Chunk]) -> bool:
        """Whether the cache has blocks for one more token of each decoding sequence, and for these chunks."""
        return self._blocks_of_decoding(1) + self._blocks_of(chunks) <= self._limits.kv_blocks

    def _chunks_so_far(self) -> list[Chunk]:
        """The partial prompt, where there is one, as far as it is computed."""
        return [] if self._partial is None else [self._partial]

    def _blocks_of_decoding(self, more: int) -> int:
        """KV blocks of all decoding sequences after so many more steps."""
        work, block, step = self._work, self._limits.kv_block_tokens, self._step + more
        if work.drafted is not None:
            in_cache = (work.kv_before_end(end & REQUEST_MASK, (end >> REQUEST_BITS) - step) for end in self._ends)
            return sum(-(-tokens // block) for tokens in in_cache)
        kv_at_end, up = work.kv_at_end, step + block - 1
        return sum((kv_at_end[end & REQUEST_MASK] - (end >> REQUEST_BITS) + up) // block for end in self._ends)

    def _blocks_of(self, chunks: list[Chunk]) -> int:
        """KV blocks of these prompts once their chunks are computed."""
        in_cache = (self._work.kv_tokens(request, computed + tokens) for request, tokens, computed in chunks)
        return sum(-(-tokens // self._limits.kv_block_tokens) for tokens in in_cache)
