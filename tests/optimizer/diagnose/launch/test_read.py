"""Launch commands of three engines: what is read, what is refused, and with which words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.diagnose.launch import (
    DataParallel,
    LaunchError,
    MemoryRule,
    MemoryShare,
    PoolRole,
    Speculation,
    read_launch,
)
from optimizer.diagnose.launch.engines import SYNTAXES, Syntax
from optimizer.diagnose.launch.flags import legal_flags


def test_a_whole_vllm_command() -> None:
    launch = read_launch(
        "CUDA_VISIBLE_DEVICES=0,1 /opt/venv/bin/vllm serve meta-llama/Llama-3.1-70B-Instruct \\\n"
        " --tensor_parallel_size=8 -pp 2 --quantization awq_marlin --kv-cache-dtype fp8_e4m3 --max-num-seqs 64"
        " --max-num-batched-tokens 4096 --gpu-memory-utilization 0.95 --no-enable-prefix-caching"
        " --enable-chunked-prefill --max-model-len 32k --dtype half --port 8000 --trust-remote-code --enforce-eager"
        """ --speculative-config '{"method": "eagle3", "num_speculative_tokens": 3}'"""
    )
    assert (launch.engine, launch.model) == ("vllm", "meta-llama/Llama-3.1-70B-Instruct")
    assert (launch.tp, launch.pp, launch.data_parallel, launch.expert_parallel) == (8, 2, 1, 1)
    assert (launch.weights, launch.kv, launch.half_precision) == ("int4", "fp8", True)
    assert (launch.max_num_seqs, launch.max_num_batched_tokens, launch.longest_request) == (64, 4096, 32_000)
    assert launch.memory == MemoryShare(MemoryRule.WHOLE, 0.95)
    assert launch.prefix_caching is False
    assert launch.speculation == Speculation("eagle3", 3)
    assert [each.flag for each in launch.unmodelled] == ["--enforce-eager"]


def test_the_older_vllm_server_and_its_flags() -> None:
    launch = read_launch(
        "python3 -m vllm.entrypoints.openai.api_server --host 0.0.0.0 --model Qwen2-7B-Instruct -tp 1 "
        "--disable-log-requests --speculative_model [gram] --use-v2-block-manager "
        "--num_speculative_tokens 5 --ngram-prompt-lookup-max 4"
    )
    assert launch.model == "Qwen2-7B-Instruct"
    assert launch.speculation == Speculation("[gram]", 5)


def test_sglang_divides_attention_where_vllm_copies() -> None:
    sglang = read_launch("python -m sglang.launch_server --model-path m --tp 16 --enable-dp-attention --dp-size 2")
    assert (sglang.tp, sglang.attention_groups, sglang.data_parallel) == (16, 2, 1)
    copies = read_launch("sglang serve --model-path m --tp-size 4 --dp-size 2")
    assert (copies.attention_groups, copies.data_parallel) == (1, 2)
    assert copies.data_parallel_means is DataParallel.REPLICAS
    current = read_launch(
        "sglang serve --model-path m --tp-size 8 --attn-dp-size 4 --ep-size 8 --chunked-prefill-size -1"
    )
    assert (current.attention_groups, current.expert_parallel, current.max_num_batched_tokens) == (4, 8, None)
    vllm = read_launch("vllm serve m -tp 4 -dp 2 --enable-expert-parallel")
    assert (vllm.data_parallel, vllm.expert_parallel) == (2, None)
    assert vllm.data_parallel_means is DataParallel.ATTENTION_OF_EXPERT_MODELS


def test_trtllm_with_and_without_its_subcommand() -> None:
    words = (
        "nvidia/DeepSeek-R1-FP4 --tp_size 8 --ep_size 4 --max_batch_size 161 --kv_cache_free_gpu_memory_fraction 0.8"
    )
    for launcher in ("trtllm-serve", "trtllm-serve serve"):
        launch = read_launch(f"{launcher} {words} --extra_llm_api_options f.yaml")
        assert (launch.engine, launch.tp, launch.expert_parallel) == ("trtllm", 8, 4)
        assert launch.memory == MemoryShare(MemoryRule.FREE, 0.8)
        assert launch.settings_file == "f.yaml"


@pytest.mark.parametrize(
    ("flags", "role"),
    [
        ("""--kv-transfer-config '{"kv_connector": "NixlConnector", "kv_role": "kv_producer"}'""", PoolRole.PREFILL),
        ("""--kv-transfer-config '{"kv_connector": "NixlConnector", "kv_role": "kv_consumer"}'""", PoolRole.DECODE),
        ("""--kv-transfer-config '{"kv_connector": "LMCacheConnectorV1", "kv_role": "kv_both"}'""", None),
        ("--is-prefill-worker --dyn-reasoning-parser gpt_oss", PoolRole.PREFILL),
        ("--disaggregation-mode decode", PoolRole.DECODE),
        ("--disaggregation-mode agg", None),
    ],
)
def test_roles_of_pools(flags: str, role: PoolRole | None) -> None:
    assert read_launch(f"python -m dynamo.vllm --model m {flags}").role is role


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "begins with nothing; known: vllm serve"),
        ("docker run --gpus all image", "begins with docker run"),
        ("vllm serve", "names no model"),
        ("vllm serve m --tensor-paralel-size 8", "no flag --tensor-paralel-size; nearest: --tensor-parallel-size"),
        ("vllm serve m --dyn-x 1", "no flag --dyn-x"),
        ("vllm serve m --tensor-parallel-size", "needs a value: the tensor-parallel size"),
        ("vllm serve m --tensor-parallel-size --port 80", "needs a value"),
        ("vllm serve m -tp 0", "-tp 0: a whole number of at least 1"),
        ("vllm serve m -tp two", "-tp two: a whole number"),
        ("vllm serve m -tp 9999999999999", "a whole number"),
        ("vllm serve m --gpu-memory-utilization 90", "a fraction above 0 and at most 1"),
        (
            "vllm serve m --quantization awq_marlyn",
            "quantization 'awq_marlyn' is not predicted.*nearest: awq, awq_marlin",
        ),
        ("vllm serve m --kv-cache-dtype int3", "KV cache type 'int3' is not predicted"),
        ("vllm serve m --dtype float32", "dtype 'float32' is not predicted"),
        ("vllm serve m --speculative-config '{method: eagle}'", "not JSON"),
        ("vllm serve m --speculative-config '[3]'", "a JSON object is expected"),
        ("""vllm serve m --speculative-config '{"num_speculative_tokens": 0}'""", "num_speculative_tokens 0"),
        ("""vllm serve m --speculative-config '{"num_speculative_tokens": 101}'""", "101: a whole number from 1 to"),
        ("""vllm serve m --speculative-config '{"num_speculative_tokens": true}'""", "True: a whole number from 1"),
        ("vllm serve m --speculative-config '" + "9" * 5000 + "'", "not JSON"),
        ("vllm serve m --speculative-model [ngram] --num-speculative-tokens 101", "101: a whole number from 1 to 100"),
        ("vllm serve m --max-model-len " + "9" * 400 + "k", "a whole number of at least 1"),
        ("vllm serve m --max-model-len 0.0001k", "a whole number of at least 1"),
        ("""vllm serve m --kv-transfer-config '{"kv_role": "kv_owner"}'""", "role 'kv_owner'"),
        ("vllm serve m 'unfinished", "cannot be split"),
        ("vllm serve one two", "words that no flag takes: two"),
    ],
)
def test_what_cannot_be_read_is_said_plainly(command: str, message: str) -> None:
    with pytest.raises(LaunchError, match=message):
        read_launch(command)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.engine)
def test_flags_that_are_explained_are_legal(syntax: Syntax) -> None:
    legal = legal_flags(syntax.engine)
    assert set(syntax.unmodelled) <= legal
    assert not set(syntax.unmodelled) & set(syntax.knobs)
    assert all(flag.startswith("--") for flag in legal)


def test_a_legal_flag_without_meaning_keeps_its_words() -> None:
    launch = read_launch("vllm serve m --served-model-name a b --port 80 --no-enable-log-requests -tp 2 -cc.mode=3")
    assert (launch.model, launch.tp) == ("m", 2)


WRITTEN = (
    "m --tp -tp 8 -1 0.9 --model --enable-expert-parallel --no-enable-expert-parallel = '' --kv-transfer-config '{}' "
    "'[]' --dtype auto --quantization fp8 --port --max-model-len --speculative-config --gpu-memory-utilization=1.5 "
    """'{"method":3,"num_speculative_tokens":true}'"""
)
WORDS = st.sampled_from(WRITTEN.split())


@given(
    st.sampled_from(["vllm serve", "sglang serve", "trtllm-serve"]), st.lists(WORDS | st.text(max_size=8), max_size=8)
)
def test_any_words_are_a_launch_or_bad_input(launcher: str, words: list[str]) -> None:
    try:
        launch = read_launch(" ".join([launcher, *words]))
    except LaunchError:
        return
    assert launch.tp >= 1
    assert launch.expert_parallel is None or launch.expert_parallel >= 1


def test_prompts_that_run_whole_are_not_counted() -> None:
    assert not read_launch("vllm serve m --enable-chunked-prefill").unmodelled
    (whole,) = read_launch("vllm serve m --no-enable-chunked-prefill").unmodelled
    assert whole.flag == "--no-enable-chunked-prefill"
