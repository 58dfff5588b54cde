"""The pipeline of `stepwise`, faster: plain steps are taken in one loop, those that only decode many at once.

Only prompts, arrivals, ends and a full cache change a step, so the steps between them are jumped over: k of them take
k·decode(N).
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import ceil, inf

from optimizer.traffic.simulate.stepwise import REQUEST_BITS, REQUEST_MASK, StepwisePipeline

# The next end, where nobody decodes.
_NEVER = 1 << REQUEST_BITS


class Pipeline(StepwisePipeline):
    """Takes the same steps as the pipeline that takes each by itself."""

    def advance(self, until_s: float) -> None:
        """Run every step that starts before a time."""
        self._take_plain_steps(until_s)
        while self._time < until_s and self._has_work(until_s):
            self._take_step()
            self._take_plain_steps(until_s)

    def _take_plain_steps(self, until_s: float) -> None:
        """Take the steps that start before a time, up to the first that is not plain.

        In a plain step no KV block need be counted, and every prompt is computed whole, for the first time, and without
        looking for a prefix. Here a simulation spends most of its time, so all that is read often has a local name.
        """
        if self._partial is not None or self._time >= until_s:
            return
        work, queue, ends, cache = self._work, self._queue, self._ends, self._cache
        arrival_s, to_compute, answer_steps = work.arrival_s, work.to_compute, work.answer_steps
        place, share, beside_s, answered = work.place, work.share, work.beside_s, work.answered
        first_s, end_s, kv_charged, kv_at_end = work.first_s, work.end_s, work.kv_charged, work.kv_at_end
        decode_s, alone_s = self._decode_s, self._alone_s
        slots, token_budget = self._limits.slots, self._limits.token_budget
        kv_room, block = self._kv_room, self._limits.kv_block_tokens
        time, step, kv_tokens = self._time, self._step, self._kv_tokens
        next_end = ends[0] >> REQUEST_BITS if ends else _NEVER
        while time < until_s:
            decoding = len(ends)
            # While even the widest blocks have room for one more token each, nobody need count them.
            free = kv_room - kv_tokens - decoding * block
            if free < 0:
                break
            next_s = arrival_s[queue[0]] if queue else inf
            if not decoding and next_s > time:
                if next_s >= until_s:
                    break
                time = next_s
            if next_s <= time and decoding < slots and not self._blocked:
                # a step that computes prompts
                if cache is not None:
                    break
                admitted: list[int] = []
                lead, most, others_s = -1, 0, 0.0
                budget = token_budget - decoding
                for request in queue:
                    if arrival_s[request] > time or decoding + len(admitted) == slots:
                        break
                    tokens = to_compute[request]
                    budget -= tokens
                    free -= kv_charged[request] + block
                    if budget < 0 or free < 0 or answered[request]:
                        admitted.clear()
                        break
                    admitted.append(request)
                    if tokens > most:
                        others_s += beside_s[lead] if most else 0.0
                        lead, most = request, tokens
                    else:
                        others_s += beside_s[request]
                if not admitted:
                    break
                node, at_nodes_s = place[lead], alone_s[decoding]
                low_s = at_nodes_s[node]
                time += decode_s[decoding] + low_s + share[lead] * (at_nodes_s[node + 1] - low_s) + others_s
                kv_tokens += decoding
                for request in admitted:
                    queue.popleft()
                    kv_tokens += kv_charged[request]
                    first_s[request] = time
                    last = step + answer_steps[request]
                    if last < next_end:
                        next_end = last
                    heappush(ends, last << REQUEST_BITS | request)
                step += 1
                if decoding + len(admitted) == slots:
                    self.slots_filled = True
            else:
                # steps that only decode
                change_s = next_s if time < next_s < until_s else until_s
                step_s = decode_s[decoding]
                steps = next_end - step
                if steps * step_s > change_s - time:
                    steps = ceil((change_s - time) / step_s)  # the last of them begins before the change
                if decoding * (steps - 1) > free:
                    steps = free // decoding + 1
                time += steps * step_s
                step += steps
                kv_tokens += decoding * steps
            if step >= next_end:
                self._blocked = False
                if cache is not None:
                    cache.trim(kv_room - kv_tokens)
                while step >= next_end:
                    request = heappop(ends) & REQUEST_MASK
                    end_s[request] = time
                    kv_tokens -= kv_at_end[request]
                    if cache is not None:
                        cache.release(request)
                    next_end = ends[0] >> REQUEST_BITS if ends else _NEVER
        self._time, self._step, self._kv_tokens = time, step, kv_tokens
