"""A command on a machine: layouts of engines, formats that are not native, names of models, and what is refused."""

from pathlib import Path

import pytest

from catalog.errors import UnknownName
from catalog.read import load
from optimizer.additions import Additions
from optimizer.diagnose import Measured, Stated
from optimizer.diagnose.deployment import Deployment, read_deployment
from optimizer.diagnose.diagnosis import Cause, Verdict
from optimizer.diagnose.launch import LaunchError, read_launch
from optimizer.diagnose.machine import read_machine
from optimizer.errors import QuestionError
from optimizer.topology.layouts import ParallelLayout
from tests.optimizer.diagnose.conftest import Diagnose

LOAD = Stated(1000, 500, 64)


def deployed(command: str, machine: str, servers: int | None = None, load_of: Stated = LOAD) -> Deployment:
    additions = Additions(load(), Path(__file__).parents[3])
    return read_deployment(read_launch(command), read_machine(machine, load()), load_of, additions, "", servers)


@pytest.mark.parametrize(
    ("command", "layout", "replicas"),
    [
        ("vllm serve llama-3.1-8b -tp 2 -dp 4", ParallelLayout(2, 1, 1, 1), 4),
        ("vllm serve deepseek-r1 -tp 2 -dp 4 --enable-expert-parallel", ParallelLayout(8, 1, 8, 4), 1),
        ("vllm serve deepseek-r1 -tp 8 --enable-expert-parallel", ParallelLayout(8, 1, 8, 1), 1),
        ("sglang serve --model-path llama-3.1-8b --tp 2 --dp 4", ParallelLayout(2, 1, 1, 1), 4),
        ("sglang serve --model-path deepseek-r1 --tp 8 --attn-dp-size 8 --ep-size 8", ParallelLayout(8, 1, 8, 8), 1),
        ("trtllm-serve llama-3.1-8b --tp_size 2 --pp_size 2 --ep_size 2", ParallelLayout(2, 2, 1, 1), 1),
    ],
)
def test_layouts_of_engines(command: str, layout: ParallelLayout, replicas: int) -> None:
    deployment = deployed(command, "8xH200")
    assert (deployment.layout, deployment.case.replicas) == (layout, replicas)


@pytest.mark.parametrize(
    ("written", "model", "weights"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b", "bf16"),
        ("neuralmagic/Meta-Llama-3-70B-Instruct-FP8", "llama-3-70b", "fp8"),
        ("/models/QwQ-32B", "qwen2.5-32b", "bf16"),
        ("/data/models/Qwen2.5-72B-Instruct-AWQ/", "qwen2.5-72b", "int4"),
        ("nvidia/DeepSeek-R1-FP4", "deepseek-r1", "nvfp4"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-r1", "fp8"),
        ("RedHatAI/Meta-Llama-3.1-70B-Instruct-quantized.w4a16", "llama-3.1-70b", "int4"),
    ],
)
def test_names_of_models_and_what_they_say_of_formats(written: str, model: str, weights: str) -> None:
    deployment = deployed(f"vllm serve {written} -tp 8", "8xB200")
    assert (deployment.case.model.id, deployment.weights) == (model, weights)


def test_a_model_from_its_config() -> None:
    deployment = deployed("vllm serve ./examples/custom_model/config.json", "1xH100")
    assert deployment.case.model.total_parameters > 1e9


def test_limits_reach_the_engine() -> None:
    stated = deployed(
        "vllm serve llama-3.1-8b --gpu-memory-utilization 0.5 --max-num-batched-tokens 2048 --max-num-seqs 16", "1xH100"
    ).case
    assert (stated.row.engine.memory_fraction, stated.row.engine.prefill_chunk_tokens, stated.slots) == (
        0.5,
        2048,
        16.0,
    )
    grouped = deployed("vllm serve deepseek-r1 -tp 1 -dp 8 --max-num-seqs 16", "8xH200").case
    assert grouped.slots == 128.0
    free = deployed("trtllm-serve llama-3.1-8b --free_gpu_memory_fraction 0.5", "1xH100").case
    assert free.row.engine.cache_fraction == 0.5
    static = deployed("sglang serve --model-path llama-3.1-8b --mem-fraction-static 0.5", "1xH100").case
    assert 0.5 < static.row.engine.memory_fraction < 0.55


@pytest.mark.parametrize(
    ("command", "machine", "message"),
    [
        ("vllm serve llama-3.1-8b -tp 3", "8xH100", "TP3: attention heads.*32 heads.*nearest that divides: TP2 or TP4"),
        (
            "vllm serve llama-3.1-8b -tp 16",
            "8xH100",
            "takes 16 accelerators.*the largest replica that runs on it has 8",
        ),
        ("vllm serve deepseek-r1 -tp 3 -dp 3", "16xH100", "nearest that divides"),
        (
            "sglang serve --model-path deepseek-r1 --tp 8 --ep-size 3",
            "8xH200",
            "3 expert ranks must divide the 8 ranks",
        ),
        (
            "vllm serve llama-3.1-8b --max-model-len 1200",
            "1xH100",
            "1,500 tokens, the command's longest request holds 1,200",
        ),
        ("vllm serve llama-2-7b", "1xT4", "no bf16 matrix unit"),
        ("vllm serve llama-3.1-8b -dp 65", "65xH100", "not whole hosts|only for as many clients"),
    ],
)
def test_what_cannot_run_is_said_with_the_nearest_that_can(command: str, machine: str, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        deployed(command, machine)


def test_servers_that_do_not_fit_the_machine() -> None:
    with pytest.raises(LaunchError, match="at most 2 such servers"):
        deployed("vllm serve llama-3.1-8b -tp 4", "8xH100", servers=3)


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="nearest: llama-3"):
        deployed("vllm serve llama-3.9-8b", "8xH100")


def test_weights_that_do_not_fit_name_the_smallest_replica(ask: Diagnose) -> None:
    with pytest.raises(LaunchError, match="the smallest replica that fits: TP4"):
        ask("vllm serve llama-3.1-70b", on="8xL40S", load_of=LOAD)
    with pytest.raises(LaunchError, match="the smallest replica that fits: TP8 PP2"):
        ask("vllm serve deepseek-r1 -tp 8", on="3x8xA100", load_of=LOAD)
    with pytest.raises(LaunchError, match="no replica on 1 accelerators does"):
        ask("vllm serve llama-3.1-70b", on="1xL40S", load_of=LOAD)


def test_fp8_on_a_part_without_it_is_read_small_and_multiplied_in_bf16(ask: Diagnose) -> None:
    small = ask("vllm serve llama-3.1-8b --quantization fp8 --kv-cache-dtype fp8", on="1xA100", load_of=LOAD)
    full = ask("vllm serve llama-3.1-8b", on="1xA100", load_of=LOAD)
    says = [finding.says for finding in small.findings if finding.cause is Cause.FORMAT_NOT_NATIVE]
    assert len(says) == 2
    assert "no fp8 matrix unit" in says[0]
    assert "predicted as a bf16 KV cache" in says[1]
    assert small.figures is not None
    assert full.figures is not None
    assert small.figures.tpot_s.value < full.figures.tpot_s.value
    assert small.occupancy.kv_tokens > full.occupancy.kv_tokens
    width = [each.figures.tpot_s.low / each.figures.tpot_s.value for each in (small, full) if each.figures is not None]
    assert width[0] < width[1]  # a rule stands in for kernels: the interval is wider


def test_a_group_over_hosts_pays_for_the_network(ask: Diagnose) -> None:
    one = ask("vllm serve llama-3.1-70b -tp 8", on="8xH100", load_of=LOAD)
    two = ask("vllm serve llama-3.1-70b -tp 8", on="2x4xH100", load_of=LOAD)
    assert one.figures is not None
    assert two.figures is not None
    assert two.figures.tpot_s.value > 1.2 * one.figures.tpot_s.value
    assert "the network between hosts" in next(each.says for each in two.findings if each.cause is Cause.COLLECTIVES)


def test_overload_names_the_rate_that_is_carried(ask: Diagnose) -> None:
    over = ask("vllm serve llama-3.1-8b", on="2xL40S", load_of=Stated(1000, 500, None, 5.0))
    assert over.figures is None
    assert over.terms is None
    assert over.findings[0].cause is Cause.OVERLOAD
    assert over.best_change is not None
    assert over.best_change.replicas == 2
    carried = float(over.findings[0].says.split(" req/s: ")[0].rsplit(maxsplit=1)[-1])
    assert ask("vllm serve llama-3.1-8b", on="1xL40S", load_of=Stated(1000, 500, None, 0.99 * carried)).figures
    assert ask("vllm serve llama-3.1-8b", on="1xL40S", load_of=Stated(1000, 500, None, 1.01 * carried)).figures is None


def test_a_rate_that_was_not_kept_up_with(ask: Diagnose) -> None:
    asked = ask(
        "vllm serve llama-3.1-8b",
        on="1xH100",
        load_of=Stated(1000, 500, None, 4.0),
        measured=Measured(tokens_per_s=1500),
    )
    assert "did not keep up" in asked.findings[0].says
    assert asked.verdict is Verdict.NOT_MEASURED


def test_other_formats_only_if_asked(ask: Diagnose) -> None:
    command, machine, load_of = "vllm serve llama-3.1-8b", "1xH100", Stated(1000, 500, 256)
    assert ask(command, on=machine, load_of=load_of).best_change is None
    any_format = ask(command, on=machine, load_of=load_of, any_formats=True).best_change
    assert any_format is not None
    assert any_format.formats.weights != "bf16"


def test_slots_bound_what_runs(ask: Diagnose) -> None:
    few = ask("vllm serve llama-3.1-8b --max-num-seqs 16", on="1xH100", load_of=LOAD)
    assert few.occupancy.requests_running == 16.0
    assert few.findings[0].cause is Cause.ENGINE_SLOTS
    assert few.figures is not None
    assert few.figures.ttft_s.value > 3.0


def test_pools_share_the_machine(ask: Diagnose) -> None:
    server = "sglang serve --model-path llama-3.1-8b --tp 2 --disaggregation-mode {}"
    alone = ask(server.format("prefill"), on="8xH100", load_of=LOAD)
    assert alone.pools is not None
    assert (alone.pools.prefill_accelerators, alone.pools.decode_accelerators) == (2, 6)
    assert alone.server.replicas == 4
    with pytest.raises(LaunchError, match="do not share 2; --on is the machine of both"):
        ask(server.format("prefill"), server.format("decode"), on="2xH100", load_of=LOAD)
    with pytest.raises(LaunchError, match="one role each"):
        ask(server.format("prefill"), server.format("prefill"), on="8xH100", load_of=LOAD)
