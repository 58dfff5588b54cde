"""Requests as an engine works on them: plain lists, since single numbers of an array are slow to reach."""

from __future__ import annotations

from math import inf

from optimizer.traffic.simulate.requests import Requests
from optimizer.traffic.simulate.steps import PipelineSteps


class Work:
    """Of every request: what it asks for, what its prompt costs, and when its first and its last token came.

    to_compute: prompt tokens, and of a preempted request those that it had answered too (`answered`). place, share:
    node of the step tables below them, and the distance from there. beside_s: what they add beside another prompt.
    kv_at_end: tokens in the cache at its end. found: prompt tokens that the prefix cache held when it was admitted.
    first_s, end_s: infinite until then.
    """

    def __init__(self, steps: PipelineSteps, requests: Requests) -> None:
        self._steps = steps
        place, share = steps.between_nodes(requests.new_tokens)
        self.arrival_s: list[float] = requests.arrival_s.tolist()
        self.prompt: list[int] = requests.prompt_tokens.tolist()
        self.output: list[int] = requests.output_tokens.tolist()
        self.to_compute: list[int] = requests.new_tokens.tolist()
        self.kv_at_end: list[int] = (requests.prompt_tokens + requests.output_tokens - 1).tolist()
        self.answered = [0] * len(requests)
        self.place: list[int] = place.tolist()
        self.share: list[float] = share.tolist()
        self.beside_s: list[float] = steps.beside(requests.new_tokens).tolist()
        self.first_s = [inf] * len(requests)
        self.end_s = [inf] * len(requests)
        self.found = [0] * len(requests)
        self._looked_up: dict[int, int] = {}  # what was found of each prompt at last

    def lose(self, request: int, answered: int) -> None:
        """Let a preempted request compute its prompt again, with what it has answered."""
        self.to_compute[request] += answered - self.answered[request]
        self.answered[request] = answered
        self._looked_up.pop(request, None)
        self._price(request, float(self.to_compute[request]))

    def find(self, request: int, tokens: int) -> None:
        """Let a request compute what the prefix cache does not hold of it."""
        if self._looked_up.get(request) == tokens:
            return
        self._looked_up[request] = tokens
        whole = self.prompt[request] + self.answered[request]
        self.to_compute[request] = whole - tokens
        self._price(request, self._steps.alike(whole, whole - tokens))

    def _price(self, request: int, tokens: float) -> None:
        """Let the prompt of a request take what one of so many tokens takes."""
        self.place[request], self.share[request], self.beside_s[request] = self._steps.price(tokens)

    def kv_tokens(self, request: int, computed: int) -> int:
        """Tokens in the cache once so many of those to compute are; the others were found in the prefix cache."""
        return self.prompt[request] + self.answered[request] - self.to_compute[request] + computed
