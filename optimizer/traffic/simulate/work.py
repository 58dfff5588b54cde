"""Requests as an engine works on them: plain lists, since single numbers of an array are slow to reach."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from optimizer.traffic.simulate.drafted import DraftedAnswers
from optimizer.traffic.simulate.requests import Requests
from optimizer.traffic.simulate.steps import PipelineSteps

if TYPE_CHECKING:
    from optimizer.arithmetic.speculative import Speculation


class Work:
    """Of every request: what it asks for, what its prompt costs, and when its first and its last token came.

    to_compute: prompt tokens, and of a preempted request those that it had answered too (`answered`). place, share:
    node of the step tables below them, and the distance from there. beside_s: what they add beside another prompt.
    answer_steps: from the one that ends the prompt on, which gives a token as each other one does where nothing is
    drafted. kv_at_end: tokens in the cache at its end; kv_charged: those that are counted as soon as the prompt is
    computed, if one more is counted with each further step. found: prompt tokens that the prefix cache held when it was
    admitted. first_s, end_s: infinite until then.
    """

    def __init__(self, steps: PipelineSteps, requests: Requests, speculation: Speculation | None = None) -> None:
        self._steps = steps
        place, share = steps.between_nodes(requests.new_tokens)
        self.arrival_s: list[float] = requests.arrival_s.tolist()
        self.prompt: list[int] = requests.prompt_tokens.tolist()
        self.output: list[int] = requests.output_tokens.tolist()
        self.to_compute: list[int] = requests.new_tokens.tolist()
        self.kv_at_end: list[int] = (requests.prompt_tokens + requests.output_tokens - 1).tolist()
        self.answered = [0] * len(requests)
        self.answer_steps, self.kv_charged = self.output.copy(), self.prompt.copy()
        self.drafted: DraftedAnswers | None = None
        if speculation is not None:
            self.drafted = DraftedAnswers(requests.output_tokens, speculation, requests.seed)
            saved = requests.output_tokens - 1 - self.drafted.steps
            self.answer_steps = (requests.output_tokens - saved).tolist()
            self.kv_charged = (requests.prompt_tokens + saved).tolist()
        self.place: list[int] = place.tolist()
        self.share: list[float] = share.tolist()
        self.beside_s: list[float] = steps.beside(requests.new_tokens).tolist()
        self.first_s = [inf] * len(requests)
        self.end_s = [inf] * len(requests)
        self.found = [0] * len(requests)
        self._looked_up: dict[int, int] = {}  # what was found of each prompt at last

    def lose(self, request: int, steps_left: int) -> None:
        """Let a request that is preempted so many steps before its end compute its prompt and its answer again."""
        answered = self.output[request] - self.tokens_left(request, steps_left)
        self.to_compute[request] += answered - self.answered[request]
        self.answered[request] = answered
        self.answer_steps[request] = steps_left
        if self.drafted is not None:
            self.answer_steps[request] = self.drafted.resume(request, steps_left)
        self.kv_charged[request] = self.kv_at_end[request] - self.answer_steps[request] + 1
        self._looked_up.pop(request, None)
        self._price(request, float(self.to_compute[request]))

    def tokens_left(self, request: int, steps_left: int) -> int:
        """Tokens that the last so many steps of a request give."""
        return steps_left if self.drafted is None else self.drafted.tokens_left(request, steps_left)

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

    def kv_before_end(self, request: int, steps_left: int) -> int:
        """Tokens in the cache of a request that decodes, so many steps before its end."""
        return self.kv_at_end[request] - self.tokens_left(request, steps_left)
