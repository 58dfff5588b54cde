from collections.abc import Callable

from requirements_specs.restate import restate
from requirements_specs.serving import ServingSpec

Read = Callable[[str], ServingSpec]


def test_a_short_spec(read: Read, minimal: str) -> None:
    assert restate(read(minimal)) == (
        "model llama-3.1-70b; 10 req/s Poisson",
        "prompt 512 tokens; output 200 tokens",
        "no latency limit",
    )


def test_a_long_spec(read: Read, minimal: str) -> None:
    text = (
        minimal.replace("512 tokens", "{mean: 512 tokens, p99: 1500 tokens}").replace(
            "output_tokens: 200 tokens", "output_tokens: [{tokens: 100, share: 40 %}, {tokens: 200, share: 60 %}]"
        )
        + "  peak_factor: 1.5\n  prefix_cache_hit: 30 %\n"
        + "slo: {ttft: {p99: 200 ms}, tpot: {mean: 0.05 s}}\n"
        + "budget: {usd_per_hour: $60/h, usd_per_million_output_tokens: $0.6/M tokens}\n"
        + "inventory: {providers: [aws], accelerators: [h100-sxm], max_accelerators: 64, undated: true,\n"
        + "  regions: [us-east-1], exclude_offers: [lambda/gpu_8x_h100_sxm5/global/on_demand], estimated_parts: true}\n"
        + "layout: {tp: [2, 4], pp: {max: 2}, ep: {min: 8}}\nformats: {weights: [bf16, fp8], kv: [bf16]}\n"
    )
    assert restate(read(text)) == (
        "model llama-3.1-70b; 10 req/s Poisson, 1.5 times that at the peak; 30 % of prompt tokens cached",
        "prompt mean 512 p99 1,500 longest 3,096 tokens; output mean 160 p50 200 p99 200 longest 200 tokens",
        "ttft p99 ≤ 200 ms; tpot mean ≤ 50 ms",
        "at most $60/h and $0.60/M tokens",
        "providers aws; regions us-east-1; accelerators h100-sxm-80gb; "
        "without lambda/gpu_8x_h100_sxm5/global/on_demand; at most 64 accelerators; estimated parts allowed; "
        "undated prices allowed",
        "weights bf16 or fp8; KV bf16; tp 2 or 4; pp 1 to 2; ep ≥ 8",
    )


def test_what_is_sought_within_a_budget(read: Read, minimal: str) -> None:
    budget = "budget: {usd_per_hour: $60/h}\n"
    fastest = restate(read(f"{minimal}objective: fastest\n{budget}"))
    assert fastest[0] == "model llama-3.1-70b; fastest at 10 req/s Poisson"
    at_least = restate(read(f"{minimal}objective: most_requests\n{budget}"))
    assert at_least[0] == "model llama-3.1-70b; most requests, at least 10 req/s Poisson"
    any_rate = minimal.replace("  request_rate: 10 req/s\n", "")
    most = restate(read(f"{any_rate}objective: most_requests\n{budget}"))
    assert most[0] == "model llama-3.1-70b; most requests, Poisson"
