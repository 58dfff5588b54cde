"""A whole step against the sum of its kernels, written out in plain floats from the published composition."""

import numpy as np
import pytest

from catalog.engines import Engine
from catalog.formats import NumberFormat
from catalog.parts import Accelerator, Precision
from catalog.read import Snapshot
from optimizer.arithmetic.attention import (
    ContextFit,
    DecodeFit,
    context_attention,
    context_attention_seconds,
    decode_attention,
    decode_attention_seconds,
)
from optimizer.arithmetic.collectives import CollectiveIndex, all_reduce_time
from optimizer.arithmetic.roofline import GemmFit, PartRates, Shape, gemm_seconds, gemms
from optimizer.arithmetic.step import attention_layers


def grid(value: float) -> np.ndarray:
    return np.array([[float(value)]])


class Kernels:
    """Single kernels of one part and format, in seconds."""

    def __init__(self, snapshot: Snapshot, part: Accelerator, form: NumberFormat, kv: NumberFormat) -> None:
        self.tables, self.form, self.kv = snapshot.efficiency, form, kv
        self.part = part
        self.rates = PartRates(
            np.array([float(part.memory_bytes)]),
            np.array([part.memory_bandwidth_bytes_per_s]),
            np.array([part.peak_flop_per_s[Precision.BF16]]),
            np.array([float(part.multiprocessors or 0)]),
        )

    def gemm(self, tokens: float, outputs: float, inner: float, form: NumberFormat) -> float:
        kernels = form.kernels[0]
        constants = self.tables.gemm[kernels.gemm].model_dump(exclude={"fit"})
        fit = GemmFit(
            **{name: np.array([value]) for name, value in constants.items()},
            flop_per_s=np.array([self.part.peak_flop_per_s[kernels.gemm_precision]]),
            weight_bytes=np.array([form.bytes_per_element]),
            product_flop_s=np.zeros(1),
        )
        shape = Shape(np.array([float(outputs)]), np.array([float(inner)]), 1.0, fit)
        return float(gemm_seconds(gemms([shape], self.rates), grid(tokens))[0, 0])

    def decode(self, sequences: float, context: float, heads: int, kv_heads: int) -> float:
        constants = self.tables.decode_attention[str(self.kv.attention)].model_dump(exclude={"fit", "head_64_factor"})
        fit = DecodeFit(
            **{name: np.array([value]) for name, value in constants.items()}, read_per_query_head=np.zeros(1)
        )
        kernel = decode_attention(
            fit,
            self.rates,
            np.array([float(heads)]),
            np.array([float(kv_heads)]),
            128,
            np.array([self.kv.bytes_per_element]),
        )
        return float(decode_attention_seconds(kernel, grid(sequences), grid(context), None)[0, 0])

    def context(self, sequences: float, new: float, prefix: float, heads: int, kv_heads: int) -> float:
        wanted = {"launch_s", "compute_efficiency", "wave_exponent", "serial_s_per_key", "traffic_factor"}
        constants = self.tables.context_attention[str(self.kv.attention)].model_dump(include=wanted)
        fit = ContextFit(**{name: np.array([value]) for name, value in constants.items()})
        per_token = np.array([2.0 * (heads + kv_heads) * 128 * 2])
        kernel = context_attention(fit, self.rates, np.array([float(heads)]), 512.0, per_token)
        return float(context_attention_seconds(kernel, grid(sequences), grid(new), grid(prefix), None)[0, 0])


def engine_s(engine: Engine, sequences: float) -> float:
    return engine.step_s + engine.sequence_s * sequences


@pytest.mark.parametrize("weights", ["bf16", "fp8", "nvfp4"])
def test_dense_mixed_step_is_the_sum_of_its_kernels(snapshot, make_replicas, weights) -> None:
    part_id, tp = "b200-sxm-180gb", 4
    part = snapshot.accelerator(part_id)
    form, bf16 = snapshot.formats[weights], snapshot.formats["bf16"]
    kernels = Kernels(snapshot, part, form, bf16)
    attention = bf16 if weights == "nvfp4" else form
    new, prompts, prefix, decoding, context = 1500.0, 2.0, 100.0, 60.0, 3000.0
    tokens, sequences = new + decoding, prompts + decoding
    reduce = all_reduce_time(CollectiveIndex.of(snapshot.efficiency), part, part.link.kind, "vllm", tp, p2p=True)
    message = 2 * 8192 * tokens
    layer = (
        kernels.gemm(tokens, (64 + 16) * 128 / tp, 8192, attention)
        + kernels.gemm(tokens, 8192, 64 * 128 / tp, attention)
        + kernels.gemm(tokens, 2 * 28672 / tp, 8192, form)
        + kernels.gemm(tokens, 8192, 28672 / tp, form)
        + kernels.decode(decoding, context, 16, 2)
        + kernels.context(prompts, new / prompts, prefix, 16, 2)
        + 2 * (reduce.launch_s + reduce.ramp_s * min(1, message / reduce.ramp_bytes) + message / reduce.bytes_per_s)
        + tokens * (16 * 8192 + 4 * 64 * 128 / tp + 6 * 28672 / tp) / (0.6 * part.memory_bandwidth_bytes_per_s)
    )
    expected = 80 * layer + kernels.gemm(sequences, 128256 / tp, 8192, bf16)
    expected += engine_s(snapshot.engines["vllm"], sequences)
    replicas = make_replicas("llama-3.1-70b", part_id, tp=tp, weights=weights)
    got = replicas.step_seconds(new, prompts, prefix, decoding, context)[0, 0]
    assert got == pytest.approx(expected, rel=1e-12)


def test_decode_of_70b_bf16_on_two_h100_is_near_its_weight_read(make_replicas) -> None:
    step = make_replicas("llama-3.1-70b", tp=2).step_seconds(0.0, 0.0, 0.0, 1.0, 1000.0)[0, 0]
    read = 141.1e9 / 2 / 3.35e12
    assert read < step < 1.4 * read


def test_pipeline_stages_add_their_hops(make_replicas) -> None:
    whole, staged = (
        make_replicas("llama-3.1-70b", tp=2, pp=pp, stage_bytes_per_s=50e9 if pp > 1 else None) for pp in (1, 4)
    )
    one, four = (replicas.step_seconds(0.0, 0.0, 0.0, 32.0, 1000.0)[0, 0] for replicas in (whole, staged))
    assert four - one == pytest.approx(3 * (25e-6 + 32 * 2 * 8192 / (0.65 * 50e9)), rel=1e-9)


def test_old_engines_pay_per_layer_only_with_tensor_parallelism(snapshot, make_replicas) -> None:
    engine = snapshot.engines["vllm-2024"]
    for tp, layers in ((1, 0), (2, 32)):
        new, old = (make_replicas("llama-3.1-8b", tp=tp, engine=name) for name in ("vllm", "vllm-2024"))
        now, then = (replicas.step_seconds(0.0, 0.0, 0.0, 8.0, 500.0)[0, 0] for replicas in (new, old))
        kernels = now - engine_s(snapshot.engines["vllm"], 8)
        assert then == pytest.approx(
            engine.kernel_scale * kernels + engine_s(engine, 8) + layers * engine.layer_s, rel=1e-9
        )


def test_kernels_launched_one_by_one_take_no_less_than_their_launches(snapshot, make_replicas) -> None:
    engine = snapshot.engines["vllm-2023"]
    parts = ("h100-sxm-80gb", "a100-sxm-80gb")
    one = make_replicas("llama-3.1-8b", *parts, engine="vllm-2023").step_seconds(0.0, 0.0, 0.0, 1.0, 500.0)[:, 0]
    hosts = np.array([1.0, engine.older_host_factor])
    assert one == pytest.approx(32 * engine.eager_layer_s * hosts + engine_s(engine, 1), rel=1e-9)
    # long prompts keep the part busy: their kernels decide, as in an engine with graphs
    graphs = snapshot.engines["vllm"]
    now, then = (
        make_replicas("llama-3.1-8b", *parts, engine=name).step_seconds(16384.0, 1.0, 0.0, 1.0, 500.0)[:, 0]
        for name in ("vllm", "vllm-2023")
    )
    assert then == pytest.approx(engine.kernel_scale * (now - engine_s(graphs, 2)) + engine_s(engine, 2), rel=1e-9)


def test_attention_groups_share_tokens_but_a_lone_sequence_stays_whole(make_replicas) -> None:
    replicas = make_replicas("deepseek-v3", "h200-sxm-141gb", tp=8, ep=8, dp_attention=8, weights="fp8")
    context = 200_000.0
    one, eight, nine = (replicas.step_seconds(0.0, 0.0, 0.0, n, context)[0, 0] for n in (1.0, 8.0, 16.0))
    attention_of_one = (nine - eight) / one
    assert attention_of_one > 0.05
    experts_only = replicas.step_seconds(0.0, 0.0, 0.0, 8.0, 1.0) - replicas.step_seconds(0.0, 0.0, 0.0, 1.0, 1.0)
    assert eight - one == pytest.approx(experts_only[0, 0], rel=1e-6)


def test_window_bounds_the_cost_of_context(make_replicas) -> None:
    replicas = make_replicas("gpt-oss-120b", weights="mxfp4")
    short, long = (replicas.step_seconds(0.0, 0.0, 0.0, 64.0, context)[0, 0] for context in (10_000.0, 20_000.0))
    read = 64 * 10_000 * 18 * 2 * 8 * 64 * 2 / 3.35e12
    assert read < long - short < 1.6 * read


def test_kinds_of_attention_layers(snapshot: Snapshot) -> None:
    assert attention_layers(snapshot.model("llama-3.1-8b")) == ((32, None),)
    assert attention_layers(snapshot.model("gpt-oss-120b")) == ((18, None), (18, 128.0))


def test_fractional_prompts_are_a_mean_over_steps(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b")
    decode = replicas.step_seconds(0.0, 0.0, 0.0, 8.0, 1000.0)[0, 0]
    rare = replicas.step_seconds(0.001 * 512, 0.001, 0.0, 8.0, 1000.0)[0, 0]
    full = replicas.step_seconds(512.0, 1.0, 0.0, 8.0, 1000.0)[0, 0]
    assert decode < rare < decode + 0.01 * (full - decode) + 1e-5


def test_a_step_without_tokens_or_sequences_is_an_error(make_replicas) -> None:
    replicas = make_replicas("llama-3.1-8b")
    with pytest.raises(ValueError, match="without tokens"):
        replicas.step_seconds(0.0, 0.0, 0.0, 0.0, 100.0)
    with pytest.raises(ValueError, match="without tokens"):
        replicas.step_seconds(np.array([[0.0, 1.0]]), 1.0, 0.0, np.array([[0.0, 1.0]]), 100.0)
    with pytest.raises(ValueError, match="no sequence"):
        replicas.step_seconds(10.0, 0.0, 0.0, 1.0, 100.0)
