"""Questions that people asked in issue trackers, in fragments of at most 25 words, and every slot that is in them."""

from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import pytest

from requirements_specs.ask.hardware import Hardware
from requirements_specs.ask.intent import Kind
from requirements_specs.ask.lengths import Lengths
from requirements_specs.ask.money import Money
from requirements_specs.ask.pins import Pins
from requirements_specs.ask.precision import Precision
from requirements_specs.ask.scan import Slots
from requirements_specs.ask.traffic import Traffic
from requirements_specs.ask.where import Where
from requirements_specs.serving import Objective
from tests.requirements_specs.ask.conftest import Reader

GITHUB = "https://github.com/"


@dataclass(frozen=True)
class Asked:
    """A question, where it was asked, its slots (the others are empty), and the keys that are refused."""

    text: str
    source: str
    slots: dict[str, Any]
    refused: tuple[str, ...] = ()


QUESTIONS = {
    1: Asked(
        "how do I find out, how much VRAM I need for serving the model at 8-bit/6-bit with its full context window?",
        "vllm-project/vllm/issues/12400",
        {
            "kind": Kind.MEMORY,
            "precision": Precision(weights=("fp8", "int8")),
            "lengths": Lengths(full_context=True),
        },
        refused=("formats.weights",),  # no format has 6 bits
    ),
    2: Asked(
        "how many people could use the model at the same time, how many t/s to expect "
        "(5 users, Llama-3.3-70B, 128k context)",
        "vllm-project/vllm/issues/12400",
        {
            "models": ("llama-3.3-70b",),
            "traffic": Traffic(concurrency=5),
            "lengths": Lengths(context="128k tokens"),
        },
    ),
    3: Asked(
        "I want to deploy hf 70b model on 4 * A6000. Which kind of hyper parameters is better "
        "tp=2,pp=2 or tp=1,pp=4 or tp=4, pp=1?",
        "vllm-project/vllm/issues/2280",
        {
            "hardware": Hardware(accelerators=("rtx-a6000-48gb",), total=4),
            "pins": Pins(tp=(1, 2, 4), pp=(1, 2, 4)),
        },
        refused=("model",),  # five models have 70b
    ),
    6: Asked(
        "4 GPU, each one individually can serve the model … What is the most efficient way to configure vllm … "
        "1. min latency 2. max throughput",
        "vllm-project/vllm/issues/12470",
        {
            "objectives": (Objective.FASTEST, Objective.MOST_REQUESTS),
            "hardware": Hardware(total=4),
            "where": Where(engines=("vllm",)),
        },
    ),
    7: Asked(
        "How can I determine the maximum number of concurrent requests?",
        "vllm-project/vllm/issues/8031",
        {"objectives": (Objective.MOST_REQUESTS,)},
    ),
    8: Asked(
        "how to calculate --gpu-memory-utilization for a given max concurrency such as 5 req/s, 20 req/s and 50 req/s",
        "vllm-project/vllm/issues/22291",
        {"kind": Kind.MEMORY, "traffic": Traffic(rates=("5 req/s", "20 req/s", "50 req/s"))},
    ),
    10: Asked(
        "How to config the parameters to support higher concurrency for deploying the qwen2-7b model … "
        "at 8-GPU A800 (80G) server?",
        "vllm-project/vllm/issues/7325",
        {
            "objectives": (Objective.MOST_REQUESTS,),
            "hardware": Hardware(total=8, nodes=1, per_node=8, memory_gb=80),
        },
        refused=("model", "inventory.accelerators"),  # the catalog holds neither, and says what is near
    ),
    12: Asked(
        "based on simple parameter calculation, three A100 nodes are sufficient for deploying R1？",
        "sgl-project/sglang/issues/3640",
        {
            "models": ("deepseek-r1",),
            "hardware": Hardware(accelerators=("a100-sxm-80gb",), total=24, nodes=3, per_node=8),
        },
    ),
    17: Asked(
        "Allow `decode TP < prefill TP`",
        "ai-dynamo/dynamo/issues/2295",
        {"kind": Kind.POOLS, "pins": Pins(pools=True)},
    ),
    18: Asked(
        "estimation of workloads across gpu's ( A100, H100, H200, B200 ) without actually having infrastructure",
        "bentoml/llm-optimizer/issues/17",
        {"hardware": Hardware(accelerators=("a100-sxm-80gb", "h100-sxm-80gb", "h200-sxm-141gb", "b200-sxm-180gb"))},
    ),
    19: Asked(
        "would like to see the $/1M token for input tokens, output tokens and maybe total tokens",
        "kubernetes-sigs/inference-perf/issues/139",
        {"money": Money(per_token=True)},
    ),
    20: Asked(
        "1M token cost comparison across frontier APIs vs managed SaaS vs self-hosted on cloud infrastructure",
        "redhat-performance/configiq/issues/10",
        {"kind": Kind.BUY_OR_BUILD, "money": Money(per_token=True)},
    ),
}


@pytest.mark.parametrize("number", QUESTIONS)
def test_every_slot_of_a_question_is_found_and_no_other(read: Reader, number: int) -> None:
    asked = QUESTIONS[number]
    scanned = read(asked.text)
    assert scanned.understood, (GITHUB + asked.source, scanned.missed)
    nothing = read("").slots
    for field in fields(Slots):
        expected = asked.slots.get(field.name, getattr(nothing, field.name))
        assert getattr(scanned.slots, field.name) == expected, field.name
    assert tuple(problem.key for problem in scanned.problems) == asked.refused


def test_an_empty_sentence_has_no_slot(read: Reader) -> None:
    for field in fields(Slots):
        value = getattr(read("").slots, field.name)
        empty = type(value)() if is_dataclass(value) or isinstance(value, tuple) else Kind.DESIGN
        assert value == empty, field.name


@pytest.mark.parametrize(
    ("text", "source", "kind"),
    [
        ("vLLM does not scale beyond TP=4", "vllm-project/vllm/issues/8089", Kind.WHY),
        ("DeepSeek R1 on a 8xH200 node is too slow", "vllm-project/vllm/issues/17035", Kind.WHY),
        ("1P1D deployment of DeepSeek-R1 on two H200 machines", "sgl-project/sglang/issues/5490", Kind.POOLS),
        (
            "To train a model(7B) with megatron-deepspeed, tensor_parallelism=2 pipeline_parallelism=8",
            "deepspeedai/Megatron-DeepSpeed/issues/158",
            Kind.TRAINING,
        ),
    ],
)
def test_questions_of_another_kind_are_told_apart(read: Reader, text: str, source: str, kind: Kind) -> None:
    assert read(text).slots.kind is kind, GITHUB + source


@pytest.mark.parametrize(
    "text",
    [
        "cheapest design for a llama-3.1-70b API at 10 req/s",
        "my fine-tuned llama-3.1-8b at 10 req/s",
        "does llama-3.1-70b fit on 4xH100 at 10 req/s",
        "self-hosted llama-3.1-8b at 10 req/s",
    ],
)
def test_a_design_is_asked_for_in_many_ways(read: Reader, text: str) -> None:
    assert read(text).slots.kind is Kind.DESIGN
    assert read(text).understood
