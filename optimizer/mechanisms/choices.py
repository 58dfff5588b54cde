"""Chunked prefill, prefix caching, an fp8 KV cache and attention data parallelism at the hardware of a design."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from optimizer.evaluate import Candidates
from optimizer.mechanisms.chosen import Chosen
from optimizer.mechanisms.effect import Effect, Figures, Setting, percent
from optimizer.outcome import Mechanism
from optimizer.topology.format_choices import native_refusal
from optimizer.topology.layouts import TENSOR_PARALLEL, TOKEN_BUDGETS, ParallelLayout, model_refusal
from optimizer.traffic.step_tables import prefill_chunks
from requirements_specs.paths import with_values
from requirements_specs.quantity import Dimension, format_quantity
from requirements_specs.serving import IntegerChoice

FP8, BF16 = "fp8", "bf16"
# The hit rate at which prefix caching is shown where none is stated.
SUPPOSED_HIT = 0.5
# A cache that is filled less than this has room for twice the requests.
ROOMY = 0.5


def chunked_prefill(chosen: Chosen) -> Effect:
    """The token budget of the design, or the best smaller one, against the largest, which cuts the fewest prompts."""
    largest = float(TOKEN_BUDGETS[-1])
    in_use = chosen.column.token_budget < largest
    smaller = np.array([float(chosen.column.token_budget)]) if in_use else TOKEN_BUDGETS[:-1]
    budgets = np.concatenate([[largest], smaller])
    candidates = chosen.candidates(chosen.physics, budgets)
    whole, *others = chosen.figures(candidates)
    best = max(range(len(others)), key=lambda index: (others[index].highest_rate_per_s, index))
    return Effect(
        Mechanism.CHUNKED_PREFILL,
        without=Setting(f"{largest:,.0f} tokens a step", whole),
        using=Setting(f"{smaller[best]:,.0f} tokens a step", others[best]),
        in_use=in_use,
        reason=_cut_prompts(chosen, candidates.take(np.array([1 + best]))),
    )


def _cut_prompts(chosen: Chosen, candidate: Candidates) -> str:
    """How many prompts a token budget cuts at the rate that is asked."""
    sequences = chosen.state(candidate).point.sequences
    chunks = prefill_chunks(chosen.bins, candidate.token_budget, sequences[:, None])[0, 0]
    cut = float(chosen.bins.prompt_share[chunks > 1.0].sum())
    longest = f"the longest computes {chosen.bins.new_tokens.max():,.0f} tokens"
    if cut == 0.0:
        return f"no prompt is cut, {longest}: the budget only says how many share a step"
    return f"{percent(cut)} of the prompts take several steps, {longest}"


def prefix_cache(chosen: Chosen) -> Effect:
    """The stated hit rate against none."""
    hit = chosen.spec.workload.prefix_cache_hit
    name = "no hits"
    if hit == 0.0:
        (supposed,) = chosen.figures(_with_hit(chosen, SUPPOSED_HIT))
        more = supposed.highest_rate_per_s / chosen.now.highest_rate_per_s - 1.0
        return Effect(
            Mechanism.PREFIX_CACHE,
            without=Setting(name, chosen.now),
            using=Setting("hits are not stated", None),
            in_use=False,
            reason="no shared prefixes are stated; with workload.prefix_cache_hit: 50 % it would carry "
            f"{percent(more)} more on the same machines",
            not_stated=True,
        )
    (none,) = chosen.figures(_with_hit(chosen, 0.0))
    new, prompt = float(chosen.bins.mean_new_tokens[0]), float(chosen.bins.mean_prompt[0])
    return Effect(
        Mechanism.PREFIX_CACHE,
        without=Setting(name, none),
        using=Setting(f"{percent(hit)} hits", chosen.now),
        in_use=True,
        reason=f"a prompt computes {new:,.0f} of its {prompt:,.0f} tokens on average",
        resolved=chosen.resolved(
            "workload.prefix_cache_hit", "0", with_values(chosen.spec, {"workload.prefix_cache_hit": 0.0})
        ),
    )


def _with_hit(chosen: Chosen, hit: float) -> Candidates:
    bins = replace(chosen.bins, prefix_cache_hit=np.full((1, 1), hit))
    return chosen.candidates(chosen.physics_of([chosen.row], bins))


def fp8_kv(chosen: Chosen) -> Effect:
    """An fp8 KV cache against the design's own, or against bf16 where the design has it."""
    in_use = chosen.formats.kv == FP8
    own = BF16 if in_use else chosen.formats.kv
    formats = chosen.snapshot.formats
    refusal = native_refusal(chosen.row.accelerator, replace(chosen.formats, kv=FP8, kv_format=formats[FP8]))
    if refusal is not None:
        return Effect(
            Mechanism.FP8_KV,
            without=Setting(f"{own} KV", chosen.now),
            using=Setting("fp8 KV", None),
            in_use=False,
            reason=refusal.value,
        )
    physics = chosen.physics_of([replace(chosen.row, kv=formats[each]) for each in (own, FP8)])
    candidates = chosen.candidates(physics)
    without, using = chosen.figures(candidates)
    allowed = (own,) if in_use else (own, FP8)
    return Effect(
        Mechanism.FP8_KV,
        without=Setting(f"{own} KV", without),
        using=Setting("fp8 KV", using),
        in_use=in_use,
        reason=f"{_cached_token(candidates, (0, 1))}; {_filled(chosen, candidates)}{_slower_prompts(candidates)}",
        resolved=chosen.resolved(
            "formats.kv", f"[{', '.join(allowed)}]", with_values(chosen.spec, {"formats.kv": allowed})
        ),
    )


def dp_attention(chosen: Chosen) -> Effect:
    """Attention data parallelism against none: in the design's degree, or in the best of all others."""
    layout, model = chosen.layout, chosen.model
    in_use = layout.dp_attention > 1
    divisors = tuple(dp for dp in TENSOR_PARALLEL if dp > 1 and layout.tp % dp == 0)
    degrees = (layout.dp_attention,) if in_use else divisors
    legal = [dp for dp in degrees if model_refusal(model, replace(layout, dp_attention=dp)) is None]
    if not model.experts or not legal:
        return Effect(
            Mechanism.DP_ATTENTION,
            without=Setting(_degree(layout), chosen.now),
            using=Setting("none is offered", None),
            in_use=False,
            reason=_no_degree(chosen),
        )
    alone = replace(layout, dp_attention=1)
    possible = [dp for dp in (1, *legal) if model_refusal(model, replace(layout, dp_attention=dp)) is None]
    candidates = chosen.candidates(chosen.physics_of([replace(chosen.row, dp_attention=dp) for dp in possible]))
    figures = dict(zip(possible, chosen.figures(candidates), strict=True))
    best = max(legal, key=lambda dp: (figures[dp].highest_rate_per_s, -dp))
    without = figures.get(1, Figures(0.0, None, None))
    rows = (0, possible.index(best))
    pin = IntegerChoice(values=(1,)) if in_use else IntegerChoice(least=2)
    return Effect(
        Mechanism.DP_ATTENTION,
        without=Setting(_degree(alone), without),
        using=Setting(_degree(replace(layout, dp_attention=best)), figures[best]),
        in_use=in_use,
        reason=_cached_token(candidates, rows) if 1 in figures else "attention heads do not divide without it",
        resolved=chosen.resolved(
            "layout.dp_attention", "1" if in_use else ">= 2", with_values(chosen.spec, {"layout.dp_attention": pin})
        ),
    )


def _degree(layout: ParallelLayout) -> str:
    return f"DP{layout.dp_attention} attention"


def _no_degree(chosen: Chosen) -> str:
    """Why no degree is offered."""
    if not chosen.model.experts:
        return (
            "offered for models with experts only: of a dense model whole replicas divide requests as well, without "
            "exchanges between them"
        )
    if chosen.layout.tp == 1:
        return "a stage of one accelerator has nothing to divide"
    return "heads or experts do not divide over any degree"


def _cached_token(candidates: Candidates, rows: tuple[int, int]) -> str:
    """What a cached token takes of a whole replica, copies included, without and with a mechanism."""
    taken = candidates.physics.step_times.kv_bytes_per_token[list(rows)]
    before, after = (format_quantity(float(each), Dimension.BYTES, 3) for each in taken)
    if before == after:
        return f"a cached token takes {before} either way"
    return f"a cached token takes {after}, not {before}"


def _filled(chosen: Chosen, candidates: Candidates) -> str:
    """How full the cache is at the rate that is asked."""
    state = chosen.state(candidates)
    without, using = (state.kv_tokens_needed / state.kv_tokens).tolist()
    text = f"the cache is {percent(using)} full, not {percent(without)}"
    return f"{text}: its room does not bind" if without < ROOMY else text


def _slower_prompts(candidates: Candidates) -> str:
    """Whether the attention kernels of a format take longer for a prompt, which a cache with room does not make up."""
    without, using = candidates.physics.tables.added_s[:, -1].tolist()
    return ", but prompts attend slower" if using > without else ""
