import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.parts import LinkKind
from catalog.read import Snapshot, load
from optimizer.arithmetic.replica_rows import Estimate, ReplicaRow
from optimizer.arithmetic.replicas import BLOCK_ELEMENTS, Replicas
from optimizer.arithmetic.serving import build_replicas
from optimizer.arithmetic.step_times import Resource, StepTimes

SNAPSHOT: Snapshot = load()
MODELS = ("llama-3.1-8b", "qwen3-32b", "deepseek-v3", "gpt-oss-120b", "mixtral-8x7b", "gemma-3-27b")
PARTS = ("h100-sxm-80gb", "b200-sxm-180gb", "l40s-48gb", "a100-sxm-80gb", "mi300x-192gb", "tpu-v5p")
SHRINKING = Resource.MEMORY_BANDWIDTH, Resource.COMPUTE, Resource.NETWORK


@st.composite
def replica_rows(draw: st.DrawFn, model: str) -> ReplicaRow:
    found = SNAPSHOT.model(model)
    part = SNAPSHOT.accelerator(draw(st.sampled_from(PARTS)))
    peaks = part.peak_flop_per_s
    native = [
        form
        for form in SNAPSHOT.formats.values()
        if form.kernels and {form.kernels[0].gemm_precision, form.kernels[0].experts_precision} <= set(peaks)
    ]
    weights = draw(st.sampled_from(native))
    caches = [
        form
        for form in SNAPSHOT.formats.values()
        if form.attention and (form.cache_precision is None or form.cache_precision in peaks)
    ]
    tp = draw(st.sampled_from([1, 2, 4, 8]))
    ep = draw(st.sampled_from([1, tp])) if found.experts else 1
    groups = draw(st.sampled_from([1, tp])) if found.experts else 1
    pp = draw(st.sampled_from([1, 2]))
    links = [LinkKind.NONE] if tp == 1 else [part.link.kind, LinkKind.PCIE]
    return ReplicaRow(
        accelerator=part,
        link=draw(st.sampled_from(links)),
        p2p=draw(st.booleans()),
        stage_bytes_per_s=12.5e9 if pp > 1 else None,
        tp=tp,
        pp=pp,
        ep=ep,
        dp_attention=groups,
        weights=weights,
        activations=SNAPSHOT.formats[weights.kernels[0].activations],
        kv=draw(st.sampled_from(caches)),
        experts=weights,
        engine=SNAPSHOT.engines[draw(st.sampled_from(sorted(SNAPSHOT.engines)))],
    )


@st.composite
def sets_of_replicas(draw: st.DrawFn) -> Replicas:
    model = draw(st.sampled_from(MODELS))
    rows = draw(st.lists(replica_rows(model), min_size=1, max_size=5))
    return build_replicas(SNAPSHOT.model(model), rows, SNAPSHOT)


counts = st.one_of(st.integers(1, 2048).map(float), st.floats(0.05, 2048.0))
loads = st.tuples(
    st.one_of(st.just(0.0), st.floats(1.0, 16384.0)),
    st.floats(0.05, 8.0),
    st.floats(0.0, 50_000.0),
    counts,
    st.floats(1.0, 100_000.0),
)


@settings(max_examples=200, deadline=None)
@given(replicas=sets_of_replicas(), load=loads)
def test_step_times_are_positive_and_finite(replicas: StepTimes, load: tuple[float, ...]) -> None:
    for law in (replicas.step_seconds, replicas.floor_seconds):
        times = law(*load)
        assert times.shape == (replicas.count, 1)
        assert np.all(np.isfinite(times))
        assert np.all(times > 0)


@settings(max_examples=200, deadline=None)
@given(replicas=sets_of_replicas(), load=loads, factor=st.floats(1.0, 8.0), resource=st.sampled_from(SHRINKING))
def test_a_better_part_is_never_slower(replicas, load, factor, resource) -> None:
    before, after = replicas.step_seconds(*load), replicas.scaled(resource, factor).step_seconds(*load)
    assert np.all(after <= before * (1 + 1e-12))


@settings(max_examples=200, deadline=None)
@given(replicas=sets_of_replicas(), load=loads, more=st.floats(1.0, 3.0))
def test_more_sequences_or_context_never_take_less_time(replicas, load, more) -> None:
    new, prompts, prefix, decoding, context = load
    base = replicas.step_seconds(*load) * (1 - 1e-12)
    assert np.all(replicas.step_seconds(new, prompts, prefix, decoding * more, context) >= base)
    assert np.all(replicas.step_seconds(new, prompts, prefix, decoding, context * more) >= base)
    assert np.all(replicas.step_seconds(new, prompts, prefix * more, decoding, context) >= base)
    assert np.all(replicas.step_seconds(new * more, prompts, prefix, decoding, context) >= base)


@settings(max_examples=200, deadline=None)
@given(replicas=sets_of_replicas(), data=st.data())
def test_bits_do_not_depend_on_the_batch(replicas: Replicas, data: st.DataObject) -> None:
    columns = np.array([data.draw(st.lists(loads, min_size=1, max_size=40))]).transpose(2, 0, 1)
    together = replicas.step_seconds(*columns)
    floors = replicas.floor_seconds(*columns)
    row = data.draw(st.integers(0, replicas.count - 1))
    column = data.draw(st.integers(0, columns.shape[2] - 1))
    alone = replicas.take(np.array([row]))
    one = tuple(float(values[0, column]) for values in columns)
    assert alone.step_seconds(*one)[0, 0] == together[row, column]
    assert alone.floor_seconds(*one)[0, 0] == floors[row, column]
    repeated = replicas.take(np.array([row] * 7))
    assert np.all(repeated.step_seconds(*columns)[3] == together[row])


@pytest.mark.parametrize("model", ["llama-3.1-8b", "deepseek-v3"])
def test_bits_do_not_depend_on_blocks(make_replicas, model: str) -> None:
    parts = ["b200-sxm-180gb", "b300-sxm-270gb", "gb200-186gb"] * 3
    replicas = make_replicas(model, *parts, tp=4, weights="fp8")
    sequences = np.linspace(1.0, 700.0, BLOCK_ELEMENTS + 37)[None]
    wide = replicas.step_seconds(300.0, 1.0, 0.0, sequences, 1234.5)
    for start in (0, 5, BLOCK_ELEMENTS - 3):
        part = replicas.take(np.array([4])).step_seconds(300.0, 1.0, 0.0, sequences[:, start : start + 11], 1234.5)
        assert np.array_equal(part[0], wide[4, start : start + 11])
    tall = replicas.take(np.arange(9).repeat(400)).step_seconds(300.0, 1.0, 0.0, sequences[:, :9], 1234.5)
    assert np.array_equal(tall[1600], wide[4, :9])


def test_arguments_broadcast_with_rows_first(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b", "h100-sxm-80gb", "h200-sxm-141gb")
    sequences, context = np.array([1.0, 8.0, 64.0])[None, :, None], np.array([100.0, 4000.0])[None, None]
    cube = replicas.step_seconds(0.0, 0.0, 0.0, sequences, context)
    assert cube.shape == (2, 3, 2)
    flat = replicas.step_seconds(0.0, 0.0, 0.0, sequences[:, :, 0], 4000.0)
    assert np.array_equal(cube[:, :, 1], flat)
    per_key = np.array([[10.0], [20.0]])
    assert replicas.step_seconds(0.0, 0.0, 0.0, per_key, 100.0).shape == (2, 1)


def test_bad_arguments_are_errors(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b", "h100-sxm-80gb", "h200-sxm-141gb")
    with pytest.raises(ValueError, match="ambiguous"):
        replicas.step_seconds(0.0, 0.0, 0.0, np.array([1.0, 2.0]), 100.0)
    with pytest.raises(ValueError, match="finite"):
        replicas.step_seconds(0.0, 0.0, 0.0, float("nan"), 100.0)
    with pytest.raises(ValueError, match="not negative"):
        replicas.step_seconds(0.0, 0.0, 0.0, 1.0, -1.0)
    with pytest.raises(ValueError, match="mismatch"):
        replicas.step_seconds(0.0, 0.0, 0.0, np.ones((3, 1)), 100.0)


def test_zero_as_an_array_equals_zero_as_a_scalar(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b", "h100-sxm-80gb")
    zeros, sequences = np.zeros((1, 3)), np.array([[1.0, 50.0, 400.0]])
    assert np.array_equal(
        replicas.step_seconds(zeros, zeros, zeros, sequences, 900.0),
        replicas.step_seconds(0.0, 0.0, 0.0, sequences, 900.0),
    )
    assert np.array_equal(
        replicas.step_seconds(sequences, 1.0, 0.0, zeros, 900.0), replicas.step_seconds(sequences, 1.0, 0.0, 0.0, 900.0)
    )


@settings(max_examples=200, deadline=None)
@given(replicas=sets_of_replicas(), factor=st.floats(1.0, 8.0))
def test_scaling_one_resource_leaves_the_others(replicas: Replicas, factor: float) -> None:
    memory = replicas.scaled(Resource.MEMORY_CAPACITY, factor)
    assert np.array_equal(
        memory.step_seconds(0.0, 0.0, 0.0, 8.0, 100.0), replicas.step_seconds(0.0, 0.0, 0.0, 8.0, 100.0)
    )
    assert np.all(memory.kv_capacity_tokens >= replicas.kv_capacity_tokens)
    for resource in SHRINKING:
        assert np.array_equal(replicas.scaled(resource, factor).kv_capacity_tokens, replicas.kv_capacity_tokens)
    same = replicas.scaled(Resource.COMPUTE, 1.0).step_seconds(64.0, 1.0, 0.0, 8.0, 100.0)
    assert np.array_equal(same, replicas.step_seconds(64.0, 1.0, 0.0, 8.0, 100.0))


def test_scaling_takes_a_factor_per_key(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b", "h100-sxm-80gb", "h100-sxm-80gb")
    scaled = replicas.scaled(Resource.MEMORY_BANDWIDTH, np.array([1.0, 2.0])).step_seconds(0.0, 0.0, 0.0, 4.0, 100.0)
    assert scaled[0] == replicas.step_seconds(0.0, 0.0, 0.0, 4.0, 100.0)[0]
    assert scaled[1] == replicas.scaled(Resource.MEMORY_BANDWIDTH, 2.0).step_seconds(0.0, 0.0, 0.0, 4.0, 100.0)[1]


def test_bandwidth_doubles_a_memory_bound_decode(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-70b", tp=4)
    slow = replicas.step_seconds(0.0, 0.0, 0.0, 1.0, 100.0)[0, 0]
    fast = replicas.scaled(Resource.MEMORY_BANDWIDTH, 2.0).step_seconds(0.0, 0.0, 0.0, 1.0, 100.0)[0, 0]
    assert slow / 2 < fast < 0.7 * slow


def test_network_changes_nothing_on_one_accelerator(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b")
    fast = replicas.scaled(Resource.NETWORK, 4.0)
    assert fast.step_seconds(100.0, 1.0, 0.0, 8.0, 100.0) == replicas.step_seconds(100.0, 1.0, 0.0, 8.0, 100.0)


def test_what_rests_on_a_rule_is_marked(make_replicas) -> None:
    assert Estimate(int(make_replicas("llama-3.1-8b", tp=2).estimates[0])) is Estimate.NONE
    assert Estimate(int(make_replicas("llama-3.1-8b", "l40s-48gb", tp=2).estimates[0])) is Estimate.COLLECTIVE
    assert Estimate(int(make_replicas("llama-3.1-8b", weights="int4").estimates[0])) is Estimate.DENSE_KERNELS
    both = Estimate.DENSE_KERNELS | Estimate.EXPERT_KERNELS
    assert Estimate(int(make_replicas("mixtral-8x7b", weights="int8").estimates[0])) is both
    assert Estimate.NO_MULTIPROCESSORS in Estimate(int(make_replicas("llama-3.1-8b", "tpu-v5p").estimates[0]))
    assert Estimate.PIPELINE_HOP in Estimate(int(make_replicas("llama-3.1-8b", pp=2).estimates[0]))


def test_what_cannot_be_built_is_refused_with_a_reason(snapshot, make_row, make_replicas) -> None:
    with pytest.raises(ValueError, match="no bf16 matrix unit"):
        make_replicas("llama-3.1-8b", "v100-sxm2-32gb")
    with pytest.raises(ValueError, match="a100-sxm-80gb cannot run fp8/fp8/bf16: the part has no fp8"):
        make_replicas("llama-3.1-8b", "a100-sxm-80gb", weights="fp8")
    with pytest.raises(ValueError, match="relative-position"):
        make_replicas("chinchilla-70b")
    with pytest.raises(ValueError, match="must divide tp"):
        make_replicas("deepseek-v3", tp=8, ep=3, weights="fp8")
    with pytest.raises(ValueError, match="no physics keys"):
        build_replicas(snapshot.model("llama-3.1-8b"), [], snapshot)
    staged = make_row(snapshot.model("llama-3.1-8b"), pp=2)
    with pytest.raises(ValueError, match="need a link"):
        build_replicas(
            snapshot.model("llama-3.1-8b"),
            [ReplicaRow(**{**vars(staged), "stage_bytes_per_s": None})],
            snapshot,
        )


def test_prompts_wait_for_those_of_other_ranks_where_the_engine_balances_them() -> None:
    model = SNAPSHOT.model("deepseek-v3")
    part, form = SNAPSHOT.accelerator("b200-sxm-180gb"), SNAPSHOT.formats["nvfp4"]

    def extra_steps(engine: str, dp_attention: int) -> float:
        row = ReplicaRow(
            accelerator=part,
            link=part.link.kind,
            p2p=True,
            stage_bytes_per_s=None,
            tp=8,
            pp=1,
            ep=8,
            dp_attention=dp_attention,
            weights=form,
            activations=SNAPSHOT.formats[form.kernels[0].activations],
            kv=SNAPSHOT.formats["bf16"],
            experts=form,
            engine=SNAPSHOT.engines[engine],
        )
        return float(build_replicas(model, [row], SNAPSHOT).extra_steps[0])

    engine = SNAPSHOT.engines["trtllm"]
    assert extra_steps("trtllm", 8) == engine.extra_steps + 25.0
    assert extra_steps("trtllm", 1) == engine.extra_steps
    assert extra_steps("sglang", 8) == extra_steps("sglang", 1)
