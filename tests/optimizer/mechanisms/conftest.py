from collections.abc import Callable
from functools import cache

import pytest

from catalog.read import load
from optimizer.answers import Answer
from optimizer.mechanisms.chosen import Chosen
from optimizer.names import known_names
from optimizer.solve import answer
from requirements_specs.read import spec_from_text

Design = Callable[..., Chosen]

SPEC = """\
kind: serving
name: a design
model: {model}
workload:
  request_rate: {rate} req/s
  prompt_tokens: {prompt} tokens
  output_tokens: {output} tokens
  prefix_cache_hit: {hit}
slo: {{{slo}}}
inventory:
  accelerators: [{part}]
{more}
"""


@pytest.fixture(scope="session")
def design() -> Design:
    """The design for a service on one part."""

    @cache
    def made(
        *,
        model: str = "llama-3.1-8b",
        rate: float = 4,
        prompt: int = 512,
        output: int = 200,
        hit: float = 0.0,
        slo: str = "ttft: {p99: 400 ms}, tpot: {p99: 40 ms}",
        part: str = "h100-sxm-80gb",
        more: str = "",
    ) -> Chosen:
        snapshot = load()
        text = SPEC.format(model=model, rate=rate, prompt=prompt, output=output, hit=hit, slo=slo, part=part, more=more)
        spec = spec_from_text(text, "design.yaml", known_names(snapshot))
        found = answer(spec, snapshot)
        assert isinstance(found, Answer)
        return Chosen.of(spec, found, snapshot)

    return made
