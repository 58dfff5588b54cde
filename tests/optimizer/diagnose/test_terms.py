"""A time taken apart: the terms sum to it, and each is what its cause brings."""

from pathlib import Path

import numpy as np
import pytest

from catalog.read import load
from optimizer.additions import Additions
from optimizer.diagnose.deployment import Stated, read_deployment
from optimizer.diagnose.forecast import Forecast, forecast
from optimizer.diagnose.launch import read_launch
from optimizer.diagnose.machine import read_machine
from optimizer.diagnose.terms import Term, decode_terms, first_token_terms, per_token_terms

COMMANDS = [
    ("vllm serve llama-3.1-70b --quantization fp8 -tp 8", "8xH100"),
    ("vllm serve llama-3.1-70b --quantization fp8 -tp 4 -pp 2", "8xH100"),
    ("vllm serve llama-3.1-8b -tp 4", "4xL40S"),
    ("sglang serve --model-path deepseek-ai/DeepSeek-V3 --tp-size 8 --attn-dp-size 8 --ep-size 8", "8xH200"),
    ("trtllm-serve gpt-oss-120b --tp_size 2", "2xB200"),
]
LOADS = [Stated(1000, 500, 64), Stated(3000, 150, 512), Stated(800, 400, None, 2.0), Stated(500, 500)]


def predicted(command: str, machine: str, load_of: Stated) -> Forecast:
    snapshot = load()
    on, additions = read_machine(machine, snapshot), Additions(snapshot, Path())
    return forecast(read_deployment(read_launch(command), on, load_of, additions, "", None))


@pytest.mark.parametrize("load_of", LOADS, ids=["closed", "prefill-heavy", "open", "offline"])
@pytest.mark.parametrize(("command", "machine"), COMMANDS)
def test_the_terms_sum_to_the_means(command: str, machine: str, load_of: Stated) -> None:
    found = predicted(command, machine, load_of)
    assert found.figures is not None
    for terms, mean in (
        (per_token_terms(found.loaded), found.figures.tpot_s.value),
        (first_token_terms(found.loaded), found.figures.ttft_s.value),
    ):
        assert sum(term.seconds for term in terms) == pytest.approx(mean, rel=1e-6)
        assert all(term.seconds >= 0.0 for term in terms)


def seconds(found: Forecast, sequences: float, context: float) -> dict[Term, float]:
    terms = decode_terms(found.loaded.replica, np.array([sequences]), np.array([context]), tabulated=False)
    return {term.term: term.seconds for term in terms}


def test_each_term_is_what_its_cause_brings() -> None:
    alone = predicted("vllm serve llama-3.1-8b", "1xH100", Stated(1000, 500, 8))
    four = predicted("vllm serve llama-3.1-8b -tp 4", "4xH100", Stated(1000, 500, 8))
    few, many = seconds(alone, 8.0, 1000.0), seconds(alone, 8.0, 8000.0)
    assert few[Term.COLLECTIVES] == 0.0
    assert seconds(four, 8.0, 1000.0)[Term.COLLECTIVES] > 0.0
    assert many[Term.KV] > 4.0 * few[Term.KV]
    assert {term for term in few if term is not Term.KV and few[term] != pytest.approx(many[term])} == set()
    large = seconds(alone, 1024.0, 1000.0)
    assert large[Term.COMPUTE] > 10.0 * few[Term.COMPUTE]
    assert seconds(four, 8.0, 1000.0)[Term.WEIGHTS] < 0.5 * few[Term.WEIGHTS]


def test_a_full_cache_shows_as_waiting() -> None:
    waiting = {
        clients: {
            term.term: term.seconds
            for term in first_token_terms(
                predicted(
                    "vllm serve llama-3.1-70b --quantization fp8 -tp 2", "2xH100", Stated(4000, 500, clients)
                ).loaded
            )
        }[Term.QUEUE]
        for clients in (8, 1000)
    }
    assert waiting[8] == 0.0
    assert waiting[1000] > 1.0
