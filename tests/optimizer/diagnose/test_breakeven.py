"""Where drafted tokens and weight-only formats stop paying."""

from pathlib import Path

import pytest

from catalog.read import load
from optimizer.additions import Additions
from optimizer.diagnose.breakeven import verification, weight_only
from optimizer.diagnose.deployment import Stated, read_deployment
from optimizer.diagnose.forecast import Forecast, forecast
from optimizer.diagnose.launch import read_launch
from optimizer.diagnose.machine import read_machine


def predicted(command: str, clients: float) -> Forecast:
    snapshot = load()
    on, load_of = read_machine("1xH100", snapshot), Stated(500, 500, clients)
    return forecast(read_deployment(read_launch(command), on, load_of, Additions(snapshot, Path()), "", None))


def test_verifying_costs_more_decode_steps_the_larger_the_batch_and_the_draft() -> None:
    few, many = predicted("vllm serve llama-3.1-8b", 4), predicted("vllm serve llama-3.1-8b", 256)
    assert 1.0 <= verification(few, 4).needed < verification(many, 4).needed < verification(many, 8).needed


def test_weight_only_saves_less_the_larger_the_batch() -> None:
    few, many = (weight_only(predicted("vllm serve llama-3.1-8b --quantization awq", clients)) for clients in (4, 512))
    assert few is not None
    assert many is not None
    assert few.alone == many.alone > few.running > many.running
    assert few.crossover == many.crossover
    assert many.crossover is not None
    assert few.sequences < many.crossover < many.sequences


@pytest.mark.parametrize(
    "command", ["vllm serve llama-3.1-8b", "vllm serve llama-3.1-8b -q fp8", "vllm serve gpt-oss-20b"]
)
def test_formats_that_are_no_weight_only_choice(command: str) -> None:
    assert weight_only(predicted(command, 4)) is None
