"""Questions of issue trackers, "why is it slower?", as command lines with the numbers that the issues state."""

import pytest

from optimizer.diagnose import Diagnosis, Measured, Stated
from optimizer.diagnose.diagnosis import Cause, Finding, Verdict
from tests.optimizer.diagnose.conftest import Diagnose

KV_TRANSFER = """ --kv-transfer-config '{"kv_connector": "NixlConnector", "kv_role": "%s"}'"""


def found(diagnosis: Diagnosis, cause: Cause) -> Finding:
    """The first finding of a cause."""
    return next(finding for finding in diagnosis.findings if finding.cause is cause)


def causes(diagnosis: Diagnosis) -> set[Cause]:
    return {finding.cause for finding in diagnosis.findings}


def test_4_vllm_does_not_scale_beyond_tp4(ask: Diagnose) -> None:
    """vllm#8089: fp8 Llama 3 70B on 8xH100, vLLM 0.5.5, requests of about 3,000 tokens; TP8 was to equal 2 × TP4."""
    command = (
        "vllm serve neuralmagic/Meta-Llama-3-70B-Instruct-FP8 --gpu-memory-utilization=0.95 --tensor-parallel-size={} "
        "--disable-log-requests --enable-chunked-prefill --max-num-batched-tokens=8192"
    )
    load_of = Stated(2700, 300, 128)
    eight = ask(command.format(8), on="8xH100", load_of=load_of, engine_version="0.5.5")
    fours = ask(command.format(4), on="8xH100", load_of=load_of, engine_version="0.5.5", servers=2)
    assert (eight.server.model, eight.server.formats.weights) == ("llama-3-70b", "fp8")
    assert fours.server.replicas == 2
    assert eight.figures is not None
    assert fours.figures is not None
    gain = fours.figures.output_tokens_per_s.value / eight.figures.output_tokens_per_s.value
    assert gain > 1.1
    shards = found(eight, Cause.SMALL_SHARDS)
    assert shards.premise
    assert "2 × TP4 carry 2,055 tokens/s, 1 × TP8 1,582 tokens/s" in shards.says
    assert eight.best_change is not None
    assert eight.best_change.replicas > 1
    assert eight.best_change.gain >= gain


# vllm#16300: seconds of a batch of 128 requests of 1 + 200 tokens, vLLM 0.7.2.
QWQ_BATCH_128_TP2_TOKENS_PER_S = 2300.0


def test_5_tp8_is_slower_than_tp4_under_load(ask: Diagnose) -> None:
    """vllm#16300: QwQ-32B on 8xA100; tp=2 gave 2,300 tokens/s at batch 128, tp=8 less than tp=4."""
    load_of, machine = Stated(1, 200, 128), "8*A100-80G"
    two = ask(
        "vllm serve Qwen/QwQ-32B --tensor-parallel-size 2",
        on=machine,
        load_of=load_of,
        measured=Measured(tokens_per_s=QWQ_BATCH_128_TP2_TOKENS_PER_S),
        engine_version="0.7.2",
    )
    assert two.verdict is Verdict.INSIDE
    assert abs(two.measured[0].ratio - 1.0) < 0.15
    eight = ask("vllm serve Qwen/QwQ-32B -tp 8", on=machine, load_of=load_of, engine_version="0.7.2")
    assert {Cause.SMALL_SHARDS, Cause.COLLECTIVES, Cause.ENGINE, Cause.LAYOUT} <= causes(eight)
    assert eight.best_change is not None
    assert eight.best_change.layout.tp < 8
    assert eight.best_change.gain > 1.15


def test_11_deepseek_r1_on_8xh200_is_too_slow(ask: Diagnose) -> None:
    """vllm#17035 states no load; DeepSeek-R1#507 does for the same node, of February 2025.

    One user saw 1,000 tokens/s with 32 clients of 550 + 150 tokens and asked whether that is normal, another a little
    more than 200 with 10.
    """
    command = (
        "vllm serve deepseek-ai/DeepSeek-R1 --tensor-parallel-size 8 --max-num-batched-tokens 65536 --trust-remote-code"
    )
    normal = ask(
        f"{command} --gpu-memory-utilization 0.8",
        on="8xH200",
        load_of=Stated(550, 150, 32),
        measured=Measured(tokens_per_s=1000),
        engine_version="0.7.3",
    )
    assert normal.verdict is Verdict.INSIDE
    slow = ask(
        command, on="8xH200", load_of=Stated(550, 150, 10), measured=Measured(tokens_per_s=210), engine_version="0.7.3"
    )
    assert slow.verdict is Verdict.SLOWER
    assert slow.terms is not None
    largest = max(slow.terms.tpot_s, key=lambda term: term.seconds)
    assert largest.term == "kernel launches"
    assert found(slow, Cause.LAUNCHES).cause is slow.findings[0].cause
    rest = found(slow, Cause.UNEXPLAINED).says
    assert "2.3× slower than predicted, beyond the interval's slow end" in rest
    assert largest.term in rest
    assert slow.best_change is None
    assert slow.arrangements > 10


def test_13_r1_on_two_hosts_meets_the_kv_wall(ask: Diagnose) -> None:
    """sglang#5429: 4,000 tokens/s expected; 325 per DP rank, KV usage 0.92, 92 running and 990 queued were seen."""
    command = (
        "NCCL_IB_GID_INDEX=0 python3 -m sglang.launch_server --model deepseek-ai/DeepSeek-R1 "
        "--tp 16 --dist-init-addr 10.100.100.12:50001 --host 0.0.0.0 --port 8001 --nnodes 2 --node-rank 1 "
        "--trust-remote-code --max-running-requests 1536 --enable-flashinfer-mla --enable-dp-attention --dp-size 2 "
        "--schedule-conservativeness 0.01 --cuda-graph-max-bs 160 --context-length 8192 --reasoning-parser deepseek-r1"
    )
    clients = 2 * (92 + 990)
    asked = ask(command, on="2x8xH100", load_of=Stated(2000, 1740, clients), measured=Measured(tokens_per_s=2 * 325))
    assert (asked.server.layout.tp, asked.server.layout.dp_attention) == (16, 2)
    first = asked.findings[0]
    assert (first.cause, first.premise) == (Cause.KV_PRESSURE, True)
    assert asked.occupancy.requests_running < 0.2 * clients
    assert "the network between hosts" in found(asked, Cause.COLLECTIVES).says
    assert "network" in {assumed.key for assumed in asked.assumed}
    assert [each.says.split()[0] for each in asked.findings if each.cause is Cause.NOT_COUNTED] == [
        "--schedule-conservativeness",
        "--cuda-graph-max-bs",
    ]
    assert asked.figures is not None
    assert asked.figures.output_tokens_per_s.value < 4000
    assert asked.best_change is not None
    assert asked.best_change.layout.dp_attention > 2


def test_14_one_prefill_one_decode_node_of_r1(ask: Diagnose) -> None:
    """sglang#5490: 128 clients, 1k + 1k tokens: TTFT 364.66 ms, TPOT 109.44 ms, 2,059.97 tokens/s."""
    server = "python -m sglang.launch_server --model-path deepseek-ai/DeepSeek-R1 --tp 8 --disaggregation-mode {}"
    asked = ask(
        server.format("prefill"),
        server.format("decode"),
        on="2x8xH200",
        load_of=Stated(1000, 1000, 128),
        measured=Measured(tpot_s=0.10944, ttft_s=0.36466, tokens_per_s=2059.97),
    )
    assert found(asked, Cause.MEASUREMENTS_DISAGREE).premise
    assert "226 clients" in found(asked, Cause.MEASUREMENTS_DISAGREE).says
    assert asked.pools is not None
    assert asked.pools.prefill_share_of_work < 0.2 < asked.pools.prefill_share_of_accelerators == 0.5
    assert "the decode pool is too small" in found(asked, Cause.POOLS).says
    assert any("no prefill queue" in finding.says for finding in asked.findings)
    assert "not predicted" in asked.warnings[0]
    assert Cause.UNEXPLAINED not in causes(asked)


def test_15_pools_are_slower_than_one_group(ask: Diagnose) -> None:
    """dynamo#3774: gpt-oss-120b on 8xH200, TP8 against TP4 + TP4; no lengths are stated, so two are tried."""
    server = "python -m dynamo.vllm --model openai/gpt-oss-120b --tensor-parallel-size 4 --dyn-reasoning-parser gpt_oss"
    pools = (f"{server} --is-prefill-worker", f"{server} --is-decode-worker")
    decode_heavy = ask(*pools, on="8xH200", load_of=Stated(1000, 1000, 64))
    premise = [each for each in decode_heavy.findings if each.cause is Cause.POOLS and each.premise]
    assert "without pools carry" in premise[0].says
    assert decode_heavy.pools is not None
    balanced = decode_heavy.pools.balanced_output_tokens
    assert balanced < 1000
    prefill_heavy = ask(*pools, on="8xH200", load_of=Stated(8000, 10, 64))
    assert prefill_heavy.pools is not None
    assert prefill_heavy.pools.prefill_share_of_work > 0.5
    assert "the prefill pool is too small" in found(prefill_heavy, Cause.POOLS).says


@pytest.mark.parametrize(
    ("prefill_tp", "words"), [(1, "the pool has too few workers"), (4, "that its compute does not explain")]
)
def test_16_prompts_queue_before_the_prefill_pool(ask: Diagnose, prefill_tp: int, words: str) -> None:
    """dynamo#2552: 3,000 + 149 tokens on 8xH100: TTFT 9.91 s, 40.74 ms per token, 292 tokens/s, so about 32 clients."""
    server = "vllm serve nvidia/Llama-3.1-70B-Instruct-FP8 -tp"
    asked = ask(
        f"{server} {prefill_tp}{KV_TRANSFER % 'kv_producer'}",
        f"{server} 4{KV_TRANSFER % 'kv_consumer'}",
        on="8xH100",
        load_of=Stated(3000, 149, 32),
        measured=Measured(tpot_s=0.04074, ttft_s=9.90968, tokens_per_s=292.03),
    )
    assert asked.pools is not None
    assert asked.pools.waiting_for_prefill == pytest.approx(19.4, abs=0.1)
    assert any(finding.cause is Cause.POOLS and words in finding.says for finding in asked.findings)


def test_21_awq_is_no_faster_at_a_large_batch(ask: Diagnose) -> None:
    """AutoAWQ#119: a Mistral 7B with AWQ had less throughput in vLLM than the one that is not quantised."""
    quantised = "vllm serve mistralai/Mistral-7B-v0.1-AWQ --quantization awq"
    large = ask(quantised, on="1xA100", load_of=Stated(500, 500, 256))
    finding = found(large, Cause.WEIGHT_ONLY_FORMAT)
    assert finding.premise
    assert "from 96 sequences on they save less than 10 %" in finding.says
    small = ask(quantised, on="1xA100", load_of=Stated(500, 500, 1))
    assert not found(small, Cause.WEIGHT_ONLY_FORMAT).premise
    full = ask("vllm serve mistralai/Mistral-7B-v0.1", on="1xA100", load_of=Stated(500, 500, 256))
    assert Cause.WEIGHT_ONLY_FORMAT not in causes(full)
    assert full.figures is not None
    assert large.figures is not None
    assert large.figures.tpot_s.value > 0.95 * full.figures.tpot_s.value


def test_22_speculation_must_keep_more_tokens_at_a_larger_batch(ask: Diagnose) -> None:
    """vllm#8439: ngram drafts of 5 tokens: 61.8 tokens/s at one client, 69.8 without, 947 output tokens."""
    alone = ask(
        "python -m vllm.entrypoints.openai.api_server --host 0.0.0.0 --port 9002 --model Qwen2.5-7B-Instruct -tp 1 "
        "--speculative_model [gram] --use-v2-block-manager --num_speculative_tokens 5 --ngram-prompt-lookup-max 4 "
        "--gpu_memory_utilization 0.9",
        on="1xA100",
        load_of=Stated(100, 947, 1),
        measured=Measured(tpot_s=15.324904918670654 / 947),
    )
    says = found(alone, Cause.SPECULATIVE_DECODING).says
    assert "is not predicted" in says
    assert "1.00 tokens per step must be kept" in says
    assert "switch it off and compare" in says
    assert Cause.OLDER_ENGINE not in causes(alone)
    assert "what is not counted" in found(alone, Cause.UNEXPLAINED).says
    crowded = ask(
        """vllm serve Qwen2.5-7B-Instruct --speculative-config '{"method": "ngram", "num_speculative_tokens": 5}'""",
        on="1xA100",
        load_of=Stated(100, 947, 256),
    )
    assert "4.02 tokens per step must be kept" in found(crowded, Cause.SPECULATIVE_DECODING).says
    assert "figures are without speculative decoding" in crowded.warnings
