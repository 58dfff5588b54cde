import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.arithmetic.step_times import Resource

PARTS = ("h100-sxm-80gb", "b200-sxm-180gb", "a100-sxm-80gb")
CHOICES = [
    ("llama-3.1-70b", {"tp": 8, "engine": "vllm-2024-rocm"}),
    ("llama-3.1-8b", {}),
    ("llama-3.1-70b", {"tp": 8}),
    ("gpt-oss-120b", {"tp": 2, "weights": "mxfp4"}),
    ("qwen3-30b-a3b", {"tp": 2}),
]
SPEEDS = (Resource.MEMORY_BANDWIDTH, Resource.COMPUTE, Resource.NETWORK)


@settings(max_examples=200, deadline=None)
@given(
    choice=st.sampled_from(CHOICES),
    decoding=st.integers(1, 600),
    tokens=st.integers(1, 4096),
    prefix=st.integers(0, 8000),
)
def test_a_step_is_no_longer_than_decoding_and_what_is_added(make_replicas, choice, decoding, tokens, prefix) -> None:
    """Up to the rounding of tiles and waves, which two loads may share less well than either alone."""
    model, options = choice
    replicas = make_replicas(model, *PARTS, **options)
    step = replicas.step_seconds(float(tokens), 1.0, float(prefix), float(decoding), 700.0)
    decode = replicas.step_seconds(0.0, 0.0, 0.0, float(decoding), 700.0)
    added = replicas.added_seconds(float(tokens), float(prefix))
    assert np.all(step <= 1.15 * (decode + added))


@settings(max_examples=200, deadline=None)
@given(
    choice=st.sampled_from(CHOICES),
    resource=st.sampled_from(SPEEDS),
    factor=st.floats(1.0, 8.0),
    tokens=st.integers(1, 8192),
)
def test_no_resource_makes_a_prompt_add_more(make_replicas, choice, resource, factor, tokens) -> None:
    model, options = choice
    replicas = make_replicas(model, *PARTS, **options)
    before = replicas.added_seconds(float(tokens), 0.0)
    assert np.all(replicas.scaled(resource, factor).added_seconds(float(tokens), 0.0) <= before * (1 + 1e-12))


@pytest.mark.parametrize(("model", "options"), CHOICES)
def test_long_prompts_add_their_multiplications(make_replicas, model, options) -> None:
    """A prompt far beyond the ridge adds about what its step takes, less the launches."""
    replicas = make_replicas(model, "h100-sxm-80gb", **options)
    step = replicas.step_seconds(8192.0, 1.0, 0.0, 1.0, 700.0)
    added = replicas.added_seconds(8192.0, 0.0)
    np.testing.assert_allclose(added, step, rtol=0.25)
    assert np.all(added < step)


def test_a_longer_prompt_adds_more(make_replicas) -> None:
    added = make_replicas("llama-3.1-70b", tp=4).added_seconds(np.geomspace(1, 8192, 40)[None, :], 0.0)
    assert np.all(np.diff(added, axis=1) > 0)
