"""Shared experts on a stream of their own: their launches hide behind the routed experts, their work does not."""

from dataclasses import replace

import pytest

from catalog.read import Snapshot
from optimizer.arithmetic.replica_rows import ReplicaRow
from optimizer.arithmetic.serving import build_replicas
from tests.optimizer.arithmetic.conftest import MakeRow


def decode_s(snapshot: Snapshot, model: str, row: ReplicaRow, sequences: float) -> float:
    replicas = build_replicas(snapshot.model(model), [row], snapshot)
    return float(replicas.step_seconds(0.0, 0.0, 0.0, sequences, 1000.0)[0, 0])


def in_line(row: ReplicaRow) -> ReplicaRow:
    return replace(row, engine=row.engine.model_copy(update={"shared_experts_overlap": False}))


@pytest.mark.parametrize("sequences", [1.0, 8.0, 512.0])
def test_only_the_fixed_times_of_two_products_a_layer_are_hidden(
    snapshot: Snapshot, make_row: MakeRow, sequences: float
) -> None:
    model = snapshot.model("deepseek-v3")
    row = make_row(model, "b200-sxm-180gb", tp=4, weights="nvfp4", engine="trtllm")
    fit = snapshot.efficiency.gemm[row.weights.kernels[0].gemm]
    inner = model.hidden + model.shared_experts * model.expert_ffn / row.tp
    fixed_s = model.expert_layers * (2.0 * fit.launch_s + fit.serial_s_per_inner * inner)
    hidden_s = decode_s(snapshot, model.id, in_line(row), sequences) - decode_s(snapshot, model.id, row, sequences)
    assert hidden_s == pytest.approx(fixed_s * row.engine.kernel_scale, rel=1e-9)


def test_a_model_without_shared_experts_is_as_it_was(snapshot: Snapshot, make_row: MakeRow) -> None:
    for model in ("qwen3-30b-a3b", "llama-3.1-8b"):
        row = make_row(snapshot.model(model), engine="trtllm")
        assert decode_s(snapshot, model, row, 8.0) == decode_s(snapshot, model, in_line(row), 8.0)


def test_tensorrt_llm_alone_is_known_to_do_so(snapshot: Snapshot) -> None:
    assert [name for name, engine in snapshot.engines.items() if engine.shared_experts_overlap] == ["trtllm"]
