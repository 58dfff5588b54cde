"""How each engine's server is started: its launchers, its flags, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from optimizer.diagnose.launch.flags import Knob
from optimizer.diagnose.launch.launch import DataParallel, MemoryRule


@dataclass(frozen=True)
class Syntax:
    """One engine's command line.

    engine: its id in the catalog and the name of its file of legal flags. launchers: the words that start it.
    unmodelled: flags that change the speed in a way that the prediction does not count, and how.
    """

    engine: str
    label: str
    launchers: tuple[tuple[str, ...], ...]
    knobs: Mapping[str, Knob]
    data_parallel: DataParallel
    memory: MemoryRule
    seats_per_group: bool
    unmodelled: Mapping[str, str]


_NO_GRAPHS = "every kernel is launched by the host, without CUDA graphs, which lengthens decode steps"
_SOME_GRAPHS = "larger batches than this run without CUDA graphs, which lengthens their steps"
_KV_ON_HOST = "KV blocks move to host memory and back"
_WEIGHTS_ON_HOST = "weights that are kept in host memory cross PCIe in every step"
_ADAPTERS = "adapters add multiplies to every layer"
_OVERLAP = "two half batches overlap their communication"

_DYNAMO = {
    "--is-prefill-worker": Knob.PREFILL_WORKER,
    "--is-decode-worker": Knob.DECODE_WORKER,
    "--disaggregation-mode": Knob.ROLE,
}

VLLM = Syntax(
    engine="vllm",
    label="vllm serve",
    launchers=(("vllm", "serve"), ("-m", "vllm.entrypoints.openai.api_server"), ("-m", "dynamo.vllm")),
    knobs={
        "--model": Knob.MODEL,
        "--tensor-parallel-size": Knob.TP,
        "-tp": Knob.TP,
        "--pipeline-parallel-size": Knob.PP,
        "-pp": Knob.PP,
        "--data-parallel-size": Knob.DP,
        "-dp": Knob.DP,
        "--enable-expert-parallel": Knob.EP,
        "-ep": Knob.EP,
        "--quantization": Knob.QUANTIZATION,
        "-q": Knob.QUANTIZATION,
        "--dtype": Knob.DTYPE,
        "--kv-cache-dtype": Knob.KV_DTYPE,
        "--max-num-seqs": Knob.MAX_NUM_SEQS,
        "--max-num-batched-tokens": Knob.MAX_BATCHED_TOKENS,
        "--max-model-len": Knob.MAX_LENGTH,
        "--gpu-memory-utilization": Knob.MEMORY,
        "--enable-prefix-caching": Knob.PREFIX_CACHE,
        "--enable-chunked-prefill": Knob.CHUNKED_PREFILL,
        "--speculative-config": Knob.SPECULATION,
        "-sc": Knob.SPECULATION,
        "--spec-method": Knob.SPECULATION_METHOD,
        "--spec-model": Knob.SPECULATION_MODEL,
        "--spec-tokens": Knob.SPECULATION_TOKENS,
        "--speculative-model": Knob.SPECULATION_MODEL,
        "--num-speculative-tokens": Knob.SPECULATION_TOKENS,
        "--kv-transfer-config": Knob.TRANSFER,
        **_DYNAMO,
    },
    data_parallel=DataParallel.ATTENTION_OF_EXPERT_MODELS,
    memory=MemoryRule.WHOLE,
    seats_per_group=True,
    unmodelled={
        "--enforce-eager": _NO_GRAPHS,
        "--cpu-offload-gb": _WEIGHTS_ON_HOST,
        "--enable-lora": _ADAPTERS,
        "--decode-context-parallel-size": "the KV cache of a request is divided over ranks",
        "--prefill-context-parallel-size": "a prompt is divided over ranks",
        "--enable-dbo": _OVERLAP,
        "--kv-offloading-size": _KV_ON_HOST,
        "--disable-custom-all-reduce": "all-reduces run in NCCL, slower for small messages",
    },
)

SGLANG = Syntax(
    engine="sglang",
    label="sglang serve",
    launchers=(("sglang", "serve"), ("-m", "sglang.launch_server"), ("-m", "dynamo.sglang")),
    knobs={
        "--model-path": Knob.MODEL,
        "--model": Knob.MODEL,
        "--tp-size": Knob.TP,
        "--tensor-parallel-size": Knob.TP,
        "--tp": Knob.TP,
        "--pp-size": Knob.PP,
        "--pipeline-parallel-size": Knob.PP,
        "--dp-size": Knob.DP,
        "--data-parallel-size": Knob.DP,
        "--dp": Knob.DP,
        "--enable-dp-attention": Knob.ATTENTION_DP,
        "--attn-dp-size": Knob.ATTENTION_DP_SIZE,
        "--attention-data-parallel-size": Knob.ATTENTION_DP_SIZE,
        "--ep-size": Knob.EP_SIZE,
        "--expert-parallel-size": Knob.EP_SIZE,
        "--ep": Knob.EP_SIZE,
        "--enable-ep-moe": Knob.EP,
        "--enable-deepep-moe": Knob.EP,
        "--quantization": Knob.QUANTIZATION,
        "--dtype": Knob.DTYPE,
        "--kv-cache-dtype": Knob.KV_DTYPE,
        "--max-running-requests": Knob.MAX_NUM_SEQS,
        "--chunked-prefill-size": Knob.MAX_BATCHED_TOKENS,
        "--context-length": Knob.MAX_LENGTH,
        "--mem-fraction-static": Knob.MEMORY,
        "--disable-radix-cache": Knob.NO_PREFIX_CACHE,
        "--speculative-algorithm": Knob.SPECULATION_METHOD,
        "--speculative-draft-model-path": Knob.SPECULATION_MODEL,
        "--speculative-draft-model": Knob.SPECULATION_MODEL,
        "--speculative-num-draft-tokens": Knob.SPECULATION_TOKENS,
        **_DYNAMO,
    },
    data_parallel=DataParallel.REPLICAS,
    memory=MemoryRule.STATIC,
    seats_per_group=False,
    unmodelled={
        "--disable-cuda-graph": _NO_GRAPHS,
        "--disable-decode-cuda-graph": _NO_GRAPHS,
        "--cuda-graph-max-bs": _SOME_GRAPHS,
        "--cuda-graph-max-bs-decode": _SOME_GRAPHS,
        "--disable-overlap-schedule": "the scheduler runs between steps, not beside them",
        "--cpu-offload-gb": _WEIGHTS_ON_HOST,
        "--enable-lora": _ADAPTERS,
        "--enable-two-batch-overlap": _OVERLAP,
        "--schedule-conservativeness": "requests may be admitted before there is KV cache for them, and taken back",
        "--enable-hierarchical-cache": _KV_ON_HOST,
    },
)

TRTLLM = Syntax(
    engine="trtllm",
    label="trtllm-serve",
    launchers=(("trtllm-serve", "serve"), ("trtllm-serve",), ("-m", "dynamo.trtllm")),
    knobs={
        "--model": Knob.MODEL,
        "--model-path": Knob.MODEL,
        "--tensor-parallel-size": Knob.TP,
        "--tp-size": Knob.TP,
        "--pipeline-parallel-size": Knob.PP,
        "--pp-size": Knob.PP,
        "--moe-expert-parallel-size": Knob.EP_SIZE,
        "--ep-size": Knob.EP_SIZE,
        "--max-batch-size": Knob.MAX_NUM_SEQS,
        "--max-num-tokens": Knob.MAX_BATCHED_TOKENS,
        "--max-seq-len": Knob.MAX_LENGTH,
        "--kv-cache-free-gpu-memory-fraction": Knob.MEMORY,
        "--free-gpu-memory-fraction": Knob.MEMORY,
        "--enable-chunked-prefill": Knob.CHUNKED_PREFILL,
        "--server-role": Knob.ROLE,
        "--config": Knob.SETTINGS_FILE,
        "--extra-llm-api-options": Knob.SETTINGS_FILE,
        "--extra-engine-args": Knob.SETTINGS_FILE,
        **_DYNAMO,
    },
    data_parallel=DataParallel.REPLICAS,
    memory=MemoryRule.FREE,
    seats_per_group=True,
    unmodelled={
        "--context-parallel-size": "a prompt is divided over ranks",
        "--cp-size": "a prompt is divided over ranks",
        "--max-beam-width": "beams decode several tokens per request",
    },
)

SYNTAXES = (VLLM, SGLANG, TRTLLM)
