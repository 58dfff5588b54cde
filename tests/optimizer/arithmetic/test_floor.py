import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PARTS = ("h100-sxm-80gb", "b200-sxm-180gb", "h200-sxm-141gb")
CHOICES = [
    ("llama-3.1-8b", {"weights": "fp8"}),
    ("llama-3.1-70b", {"tp": 8}),
    ("llama-3.1-70b", {"tp": 8, "engine": "vllm-2023"}),
    ("llama-3.1-70b", {"tp": 8, "engine": "vllm-2024-rocm"}),
    ("deepseek-v3", {"tp": 8, "ep": 8, "weights": "fp8"}),
    ("deepseek-v3", {"tp": 8, "ep": 8, "dp_attention": 8, "weights": "fp8"}),
    ("gpt-oss-120b", {"tp": 2, "weights": "mxfp4"}),
]


@settings(max_examples=200, deadline=None)
@given(
    choice=st.sampled_from(CHOICES),
    decoding=st.floats(0.5, 600.0),
    prompt=st.floats(1.0, 6000.0),
    prefix=st.floats(0.0, 20_000.0),
    schedule=st.lists(st.integers(0, 3), min_size=1, max_size=12),
)
def test_floor_is_below_the_mean_of_every_schedule(make_replicas, choice, decoding, prompt, prefix, schedule) -> None:
    model, options = choice
    replicas = make_replicas(model, *PARTS, **options)
    prompts = np.array([schedule], dtype=np.float64)
    steps = replicas.step_seconds(prompts * prompt, prompts, prefix, decoding, 2000.0)
    mean = prompts.mean()
    floor = replicas.floor_seconds(mean * prompt, mean, prefix, decoding, 2000.0)
    assert np.all(floor <= steps.mean(axis=1, keepdims=True) * (1 + 1e-12))


@settings(max_examples=200, deadline=None)
@given(choice=st.sampled_from(CHOICES), decoding=st.floats(0.5, 600.0), tokens=st.floats(1.0, 8000.0))
def test_floor_is_below_the_same_step(make_replicas, choice, decoding, tokens) -> None:
    model, options = choice
    replicas = make_replicas(model, *PARTS, **options)
    load = tokens, 1.0, 0.0, decoding, 500.0
    assert np.all(replicas.floor_seconds(*load) <= replicas.step_seconds(*load) * (1 + 1e-12))


def test_floor_is_close_where_nothing_is_rounded(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-70b", tp=4)
    load = 0.0, 0.0, 0.0, 64.0, 1000.0
    assert replicas.floor_seconds(*load)[0, 0] > 0.97 * replicas.step_seconds(*load)[0, 0]


def test_floor_needs_decoding_sequences(make_replicas) -> None:
    with pytest.raises(ValueError, match="steps that decode"):
        make_replicas("llama-3.1-8b").floor_seconds(100.0, 1.0, 0.0, 0.0, 0.0)
