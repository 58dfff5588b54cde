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
from operator import itemgetter

from optimizer.traffic.simulate.prefix_cache import PrefixCache
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


# A request, the prompt tokens that a step computes of it, and those that earlier steps have computed.
Chunk = tuple[int, int, int]


class Pipeline:
    """One pipeline; requests are submitted in the order of their arrival, and time is advanced.

    `preemptions` counts them; `slots_filled` says whether all slots were ever taken. `cache`: where it is simulated.
    With `skipping` off every step is walked.
    """

    def __init__(
        self,
        steps: PipelineSteps,
        limits: EngineLimits,
        work: Work,
        cache: PrefixCache | None = None,
        *,
        skipping: bool = True,
    ) -> None:
        self.preemptions = 0
        self.slots_filled = False
        self._limits = limits
        self._kv_room = limits.kv_blocks * limits.kv_block_tokens
        self._work = work
        self._cache = cache
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
        if work.prompt[request] + work.output[request] - 1 <= self._kv_room:
            self._queue.append(request)

    @property
    def load(self) -> int:
        """Requests submitted and not yet ended."""
        return len(self._queue) + len(self._running)

    def cached_tokens(self, request: int) -> int:
        """Tokens of a prompt that this pipeline would find in its prefix cache."""
        return 0 if self._cache is None else self._cache.tokens(request, self._work.prompt[request])

    @property
    def kv_blocks_in_use(self) -> int:
        """KV blocks that the running requests hold."""
        return sum(self._blocks(self._tokens_of(request)) for request in self._running)

    def advance(self, until_s: float) -> None:
        """Run every step that starts before a time."""
        arrival_s, decode_s = self._work.arrival_s, self._decode_s
        queue, running, ends = self._queue, self._running, self._ends
        slots, kv_room, block = self._limits.slots, self._kv_room, self._limits.kv_block_tokens
        skipping, time = self._skipping, self._time
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
                if admitting and self._prefill_one():
                    time = self._time
                    continue
                chunks = self._schedule(admitting=admitting)
                if chunks:
                    self._prefill(chunks)
                    time = self._time
                    continue
                preempted |= len(running) < occupied
                occupied = len(running)
            # Whoever waits beside free slots waits for room in the cache, and that comes with an end.
            change_s = until_s if next_s <= time or occupied == slots or next_s > until_s else next_s
            step_s = decode_s[occupied]
            steps = 1
            if skipping and not preempted:
                steps = (ends[0] >> _REQUEST_BITS) - self._step
                if steps * step_s > change_s - time:
                    steps = ceil((change_s - time) / step_s)  # the last of them begins before the change
                if self._kv_tokens + occupied * (steps + block - 1) > kv_room:
                    steps = max((kv_room - self._kv_tokens) // occupied - (block - 1), 1)
            self._time = time = time + steps * step_s
            self._step += steps
            self._kv_tokens += occupied * steps
            if ends[0] < (self._step + 1) << _REQUEST_BITS:
                self._end_those_due()

    def _prefill_one(self) -> bool:
        """Take the step that most prompts have: whole, and for themselves. False, and no step, if it may be another."""
        work, queue, limits = self._work, self._queue, self._limits
        request, decoding = queue[0], len(self._running)
        cache = self._cache
        if cache is not None:
            self._look_up(request, cache)
        kv_tokens = self._kv_tokens + decoding + work.prompt[request]
        if (
            (len(queue) > 1 and work.arrival_s[queue[1]] <= self._time)
            or work.to_compute[request] > limits.token_budget - decoding
            or kv_tokens + (decoding + 1) * limits.kv_block_tokens > self._kv_room
            or work.answered[request]
            or self._partial is not None
        ):
            return False
        queue.popleft()
        if decoding + 1 == limits.slots:
            self.slots_filled = True
        if cache is not None:
            self._hold(request, cache)
        place, alone_s = work.place[request], self._alone_s[decoding]
        low_s = alone_s[place]
        self._time += self._decode_s[decoding] + low_s + work.share[request] * (alone_s[place + 1] - low_s)
        self._step = step = self._step + 1
        self._kv_tokens = kv_tokens
        ends = self._ends
        if ends and ends[0] < (step + 1) << _REQUEST_BITS:
            self._end_those_due()
        work.first_s[request] = self._time
        if cache is not None:
            cache.keep(request, work.prompt[request])
        self._running[request] = last = step + work.output[request] - 1
        heappush(ends, last << _REQUEST_BITS | request)
        if last == step:
            self._end_those_due()
        return True

    def _schedule(self, *, admitting: bool) -> list[Chunk]:
        """Prompts of the next step: the partial one, and where `admitting` those at the head of the queue.

        Empty if there is no room in the cache for any; a partial prompt is then preempted.
        """
        work, queue, running = self._work, self._queue, self._running
        kv_room, ragged = self._kv_room, self._limits.kv_block_tokens - 1
        to_compute, arrival_s, cache = work.to_compute, work.arrival_s, self._cache
        chunks: list[Chunk] = []
        occupied, slots = len(running), self._limits.slots
        decoding = occupied - (self._partial is not None)
        budget = self._limits.token_budget - decoding
        kv_tokens = self._kv_tokens + decoding
        if self._partial is not None:
            request, _, computed = self._partial
            tokens = min(to_compute[request] - computed, budget)
            chunks.append((request, tokens, computed))
            kv_tokens += tokens
            if kv_tokens + occupied * ragged > kv_room and not self._have_room(chunks):
                self._preempt_last()
                return []
            budget -= tokens
        while admitting and budget and queue and occupied < slots:
            request = queue[0]
            if arrival_s[request] > self._time:
                break
            if cache is not None:
                self._look_up(request, cache)
            tokens = min(to_compute[request], budget)
            chunk = (request, tokens, 0)
            occupied += 1
            kv_tokens += work.kv_tokens(request, tokens)
            if kv_tokens + occupied * ragged > kv_room and not self._have_room([*chunks, chunk]):
                break
            queue.popleft()
            if cache is not None:
                self._hold(request, cache)
            running[request] = _NOT_YET
            chunks.append(chunk)
            budget -= tokens
        if occupied == slots:
            self.slots_filled = True
        return chunks

    def _prefill(self, chunks: list[Chunk]) -> None:
        """Take the step that computes these chunks."""
        work, running = self._work, self._running
        to_compute = work.to_compute
        decoding = len(running) - len(chunks)
        lead = max(chunks, key=itemgetter(1))
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
                self._partial = (request, 0, computed + tokens)
            else:
                self._answer(request)

    def _look_up(self, request: int, cache: PrefixCache) -> None:
        """Find what the cache holds of the prompt at the head of the queue."""
        cache.trim(self._kv_room - self._kv_tokens)
        self._work.find(request, cache.tokens(request, self._work.prompt[request]))

    def _hold(self, request: int, cache: PrefixCache) -> None:
        """Keep what an admitted prompt found, as long as it runs."""
        work = self._work
        cache.hold(request, work.prompt[request])
        if work.first_s[request] == inf:
            cache.found[request] = work.prompt[request] + work.answered[request] - work.to_compute[request]

    def _answer(self, request: int) -> None:
        """Give a request the token that comes with its whole prompt."""
        work = self._work
        answered = work.answered[request] + 1
        if answered == 1:
            work.first_s[request] = self._time
        if self._cache is not None:
            self._cache.keep(request, work.prompt[request])
        last = self._step + work.output[request] - answered
        self._running[request] = last
        heappush(self._ends, last << _REQUEST_BITS | request)
        if last == self._step:
            self._end_those_due()

    def _end_those_due(self) -> None:
        """End the requests whose last token came with the step that was taken."""
        work, ends, running = self._work, self._ends, self._running
        end_s, prompt, output, cache = work.end_s, work.prompt, work.output, self._cache
        due = (self._step + 1) << _REQUEST_BITS
        if cache is not None:
            cache.trim(self._kv_room - self._kv_tokens)  # just before an end they take most
        while ends and ends[0] < due:
            request = heappop(ends) & _REQUEST_MASK
            end_s[request] = self._time
            del running[request]
            self._kv_tokens -= prompt[request] + output[request] - 1
            if cache is not None:
                cache.release(request)

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
        if self._cache is not None:
            self._cache.trim(self._kv_room - self._kv_tokens - tokens)
            self._cache.release(request)
        self._queue.appendleft(request)
        self.preemptions += 1
        return self._blocks(tokens)

    def _have_room(self, chunks: list[Chunk]) -> bool:
        """Whether the cache holds what runs after a step with these chunks."""
        needed = sum(
            self._blocks(self._work.kv_tokens(request, computed + tokens)) for request, tokens, computed in chunks
        )
        decoding = self._running.keys() - {request for request, _, _ in chunks}
        needed += sum(self._blocks(self._tokens_of(request) + 1) for request in decoding)
        return needed <= self._limits.kv_blocks

    def _tokens_of(self, request: int) -> int:
        """Tokens of a running request in the cache."""
        work, last = self._work, self._running[request]
        if last != _NOT_YET:
            return work.prompt[request] + work.output[request] - (last - self._step) - 1
        return work.kv_tokens(request, 0 if self._partial is None else self._partial[2])

    def _blocks(self, tokens: int) -> int:
        return -(-tokens // self._limits.kv_block_tokens)
