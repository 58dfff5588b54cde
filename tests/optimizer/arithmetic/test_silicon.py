import sys
from pathlib import Path

import numpy as np
import pytest

from catalog.read import load
from optimizer.additions import Additions
from optimizer.arithmetic.loads import LoadShape, as_predicted, closed_loop
from optimizer.arithmetic.serving import build_replicas
from optimizer.arithmetic.silicon import (
    NotTabulatedError,
    SiliconTables,
    SiliconTimes,
    load_tables,
    silicon_times,
)
from optimizer.errors import QuestionError
from optimizer.predict.cases import Case, read_case

SNAPSHOT = load()
FOLDER = "/somewhere/site-packages/aiconfigurator_core/"
MISSING_TABLE = f"GEMM perf data missing at {FOLDER}systems/l40s; available: fp8\nand more"


class FakeEngine:
    """Milliseconds by laws that a test can do by hand; `missing`: it has no table of any step."""

    compiled: list[dict[str, object]]

    def __init__(self, missing: bool = False, refuses: bool = False) -> None:
        self.compiled, self.missing, self.refuses = [], missing, refuses

    def compile(self, **asked: object) -> "FakeEngine":
        self.compiled.append(asked)
        if self.refuses:
            raise ValueError("no such version")
        return self

    def decode_step_latency(self, gen_tokens: int, isl: int, osl: int) -> float:
        if self.missing:
            raise RuntimeError(MISSING_TABLE)
        return 2.0 + 0.1 * gen_tokens + gen_tokens * (isl + osl // 2) * 1e-4

    def decode_step_per_op(self, gen_tokens: int, isl: int, osl: int) -> list[tuple[str, float, float, str]]:
        if self.missing:
            raise RuntimeError(MISSING_TABLE)
        return [
            ("gemm", 3.0 * gen_tokens, 0.0, "silicon"),
            ("norm", 1.0 * gen_tokens, 0.0, "empirical"),
            ("moe", 1e-3 * (isl + osl // 2) * gen_tokens, 0.0, "mixed"),
        ]

    def mixed_step_breakdown(
        self, ctx_tokens: int, gen_tokens: int, isl: int, osl: int, prefix: int = 0
    ) -> tuple[float, float, float, float]:
        if isl <= prefix:
            raise ValueError("isl must be greater than 0 after removing prefix")
        chunks = max(1, -(-isl // ctx_tokens))
        prompts = -(-ctx_tokens // isl)
        shared = 2.0 + 0.1 * (ctx_tokens + gen_tokens)
        prompt = prompts * (isl - prefix) * isl * 1e-6 / chunks
        decode = gen_tokens * (isl + osl // 2) * 1e-4
        return shared + prompt + decode, shared, prompt, decode


def fake(**how: bool) -> SiliconTables:
    names = (SNAPSHOT.models[name].hf_id for name in ("llama-3.1-8b", "deepseek-v3"))
    return SiliconTables("1", FakeEngine(**how), frozenset(name for name in names if name))


def case(**cells: str) -> Case:
    row = {
        "case_id": "a", "model": "llama-3.1-8b", "accelerator": "h100-sxm-80gb", "accelerators": "1", "engine": "vllm",
        "prompt_tokens": "1000", "output_tokens": "100", "concurrency": "8",
    }  # fmt: skip
    return read_case(row | cells, Additions(SNAPSHOT, Path()))


DEEPSEEK = {"model": "deepseek-v3", "accelerator": "b200-sxm-180gb", "accelerators": "8", "tp": "8"}


def times(*cases: Case, tables: SiliconTables | None = None) -> SiliconTimes:
    model, rows = cases[0].model, [each.row for each in cases]
    return silicon_times(model, rows, build_replicas(model, rows, SNAPSHOT), tables or fake())


def test_a_decode_step_is_the_one_of_the_tables() -> None:
    step_s = times(case()).step_seconds(0.0, 0.0, 0.0, 8.0, 1001.0)
    assert step_s.shape == (1, 1)
    assert step_s[0, 0] == pytest.approx(1e-3 * (2.0 + 0.8 + 8 * 1001 * 1e-4))


def test_a_chunk_beside_decoding_has_the_attention_of_its_whole_prefix() -> None:
    step_s = times(case()).step_seconds(512.0, 1.0, 2048.0, 8.0, 1001.0)
    attention_ms = 512 * (2048 + 512) * 1e-6
    assert step_s[0, 0] == pytest.approx(1e-3 * (2.0 + 0.1 * 520 + attention_ms + 8 * 1001 * 1e-4))


def test_prompts_alone() -> None:
    step_s = times(case()).step_seconds(1024.0, 2.0, 0.0, 0.0, 0.0)
    assert step_s[0, 0] == pytest.approx(1e-3 * (2.0 + 0.1 * 1024 + 2 * 512 * 512 * 1e-6))


def test_ranks_of_attention_share_prompts_and_sequences() -> None:
    step_s = times(case(**DEEPSEEK, dp_attention="4")).step_seconds(512.0, 1.0, 0.0, 6.0, 1001.0)
    # a quarter of the tokens, two of the six sequences on the fullest rank
    assert step_s[0, 0] == pytest.approx(1e-3 * (2.0 + 0.1 * 130 + 512 * 512 * 1e-6 / 4 + 2 * 1001 * 1e-4))


def test_arguments_broadcast_as_the_protocol_says() -> None:
    both = times(case(), case(accelerator="h200-sxm-141gb"))
    sequences, context = np.array([[1.0, 2.0, 3.0]]), np.array([[500.0], [1000.0]])
    steps = both.step_seconds(0.0, 0.0, 0.0, sequences, context)
    assert steps.shape == (2, 3)
    assert steps[1, 2] == both.step_seconds(0.0, 0.0, 0.0, 3.0, 1000.0)[1, 0]
    with pytest.raises(ValueError, match="without tokens"):
        both.step_seconds(0.0, 0.0, 0.0, 0.0, 0.0)


def test_one_client_waits_for_the_decode_step_of_the_tables() -> None:
    steps = times(case())
    shape = LoadShape(np.array([1000.0]), np.array([100.0]), np.array([0.0]))
    found = closed_loop(steps, shape, np.array([1.0]), np.array([10.0]), as_predicted(steps))
    assert found.tpot_mean_s[0] == pytest.approx(steps.step_seconds(0.0, 0.0, 0.0, 1.0, 1050.0)[0, 0])


def test_the_share_that_is_measured() -> None:
    assert times(case()).measured_share(8.0, 1000.0) == pytest.approx([3.0 / 5.0])


def test_what_the_package_is_asked() -> None:
    tables = fake()
    engine = tables.engine
    times(case(), case(), case(weights_format="fp8", kv_format="fp8", tp="2", accelerators="2"), tables=tables)
    assert len(engine.compiled) == 2  # equal rows once
    assert engine.compiled[1] == {
        "model_path": "meta-llama/Meta-Llama-3.1-8B", "system": "h100_sxm", "backend": "vllm", "tp_size": 2,
        "attention_dp_size": 1, "gemm_quant_mode": "fp8", "kvcache_quant_mode": "fp8", "fmha_quant_mode": "bfloat16",
    }  # fmt: skip
    times(case(**DEEPSEEK, weights_format="nvfp4", dp_attention="4", ep="2"), tables=tables)
    asked = engine.compiled[2]
    assert (asked["tp_size"], asked["attention_dp_size"]) == (2, 4)
    assert (asked["moe_tp_size"], asked["moe_ep_size"], asked["moe_quant_mode"]) == (4, 2, "nvfp4")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"accelerator": "mi300x-192gb"}, "no tables of mi300x-192gb; there are of a100-sxm-80gb, h100"),
        ({"model": "qwen3-8b"}, r"no layers of qwen3-8b \(Qwen/Qwen3-8B\)"),
        ({"engine_version": "0.2.7"}, "no tables of the era vllm-2024, only of the newest of vllm"),
        ({"weights_format": "int8"}, "no kernels of int8 weights with"),
        ({"weights_format": "fp16", "activations_format": "fp16"}, "no kernels of fp16 weights with fp16 activations"),
        ({"pp": "2", "accelerators": "2"}, "pipeline stages are not read"),
        (DEEPSEEK | {"moe_format": "int8"}, "no kernels of experts in int8"),
    ],
)
def test_what_no_table_tells_is_refused_with_the_reason(cells: dict[str, str], reason: str) -> None:
    with pytest.raises(NotTabulatedError, match=reason):
        times(case(**cells))


def test_a_refusal_of_the_package_is_one_of_the_row() -> None:
    with pytest.raises(NotTabulatedError, match="aiconfigurator-core: no such version"):
        times(case(), tables=fake(refuses=True))
    with pytest.raises(NotTabulatedError) as refused:
        times(case(), tables=fake(missing=True)).step_seconds(0.0, 0.0, 0.0, 1.0, 100.0)
    with pytest.raises(NotTabulatedError, match="GEMM perf data missing"):
        times(case(), tables=fake(missing=True)).measured_share(1.0, 100.0)
    assert str(refused.value) == "aiconfigurator-core: GEMM perf data missing at systems/l40s; available: fp8"


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiconfigurator_core.sdk.engine", None)
    with pytest.raises(QuestionError, match=r"not installed: pip install 'roofplan\[silicon\]'"):
        load_tables()


def test_the_package_itself() -> None:
    pytest.importorskip("aiconfigurator_core", reason="the extra silicon is not installed")
    steps = times(case(), tables=load_tables())
    ours = build_replicas(case().model, [case().row], SNAPSHOT)
    for step in ((0.0, 0.0, 0.0, 32.0, 4000.0), (2048.0, 1.0, 2048.0, 32.0, 4000.0), (4096.0, 1.0, 0.0, 0.0, 0.0)):
        assert steps.step_seconds(*step) == pytest.approx(ours.step_seconds(*step), rel=0.3)
    # two chunks of a prompt cost more than the whole of it, by the weights that they read twice
    whole = steps.step_seconds(4096.0, 1.0, 0.0, 0.0, 0.0)
    chunks = steps.step_seconds(2048.0, 1.0, 0.0, 0.0, 0.0) + steps.step_seconds(2048.0, 1.0, 2048.0, 0.0, 0.0)
    assert whole < chunks < 1.05 * whole
    assert 0.8 < steps.measured_share(32.0, 4000.0)[0] < 1.0
    with pytest.raises(NotTabulatedError, match="GEMM perf data missing for quant 'fp8_block' at systems/data/l40s"):
        silicon_times(
            case().model,
            [case(accelerator="l40s-48gb", weights_format="fp8_block", engine="sglang").row],
            build_replicas(case().model, [case(accelerator="l40s-48gb", engine="sglang").row], SNAPSHOT),
            load_tables(),
        ).step_seconds(0.0, 0.0, 0.0, 1.0, 100.0)
