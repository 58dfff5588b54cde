"""From the slots of a sentence to the spec that they mean, with what is assumed, missing and impossible."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import shorten

from requirements_specs import convert
from requirements_specs.ask.base import Base, merged
from requirements_specs.ask.chat import CHAT, chat_lengths
from requirements_specs.ask.drafted import Draft, Missing
from requirements_specs.ask.intent import Kind
from requirements_specs.ask.lengths import Lengths
from requirements_specs.ask.load import Load, load_of
from requirements_specs.ask.pins import Pins
from requirements_specs.ask.scan import Scan, Slots
from requirements_specs.ask.vocabulary import Vocabulary
from requirements_specs.errors import ValueProblem, printable
from requirements_specs.lengths import LengthDistribution
from requirements_specs.serving import Objective
from requirements_specs.write import Tree, Value

_NAME_WIDTH = 60


def draft(
    scanned: Scan,
    vocabulary: Vocabulary,
    *,
    base: Base | None = None,
    model: str | None = None,
    rate: str | None = None,
) -> Draft:
    """Return the spec that a sentence means.

    `base` is a spec whose keys the sentence overrides; `model` and `rate` override the sentence.

    Raises:
        ValueProblem: `model` or `rate` is none.
    """
    slots = scanned.slots
    result = Draft(assumed=list(scanned.notes), problems=list(scanned.problems))
    result.tree["kind"] = "serving"
    result.tree["name"] = shorten(printable(scanned.question), _NAME_WIDTH, placeholder=" …") or "question"
    if model is not None:
        result.problems = [problem for problem in result.problems if problem.key != "model"]
    named = slots.models[0] if len(slots.models) == 1 else None
    if model is not None:
        named = vocabulary.model_id(model)
    if named is not None:
        result.tree["model"] = named
    _objective(result, slots)
    if slots.service.risk is not None:
        result.tree["risk"] = slots.service.risk
    stated = rate is not None or bool(slots.traffic.rates)
    lengths = _lengths(result, slots.lengths, _context(slots.lengths, named, base, vocabulary), base)
    load = _load(result, slots, lengths, base, rate)
    workload: Tree = {**load, **lengths}
    if slots.service.prefix_cache_hit is not None:
        workload["prefix_cache_hit"] = slots.service.prefix_cache_hit
    if slots.service.peak_factor is not None:
        workload["peak_factor"] = slots.service.peak_factor
    sections: Tree = {
        "workload": workload,
        "slo": _slo(result, slots),
        "budget": {str(metric): text for metric, text in slots.money.budgets},
        "inventory": _inventory(result, slots, vocabulary),
        "formats": _filled(weights=list(slots.precision.weights), kv=list(slots.precision.kv)),
        "layout": _layout(slots.pins),
        "engines": list(slots.where.engines),
        "pools": "any" if slots.pins.pools else "",
        "availability": _filled(
            spare_replicas="" if slots.service.spare_replicas is None else str(slots.service.spare_replicas)
        ),
    }
    result.tree |= {key: value for key, value in sections.items() if value}
    if base is not None:
        _traffic_over(result, base)
        result.tree = merged(base.tree, {key: value for key, value in result.tree.items() if key != "name"})
    _unused(result, slots, stated=stated)
    if slots.kind is Kind.DESIGN:
        _missing(result, slots)
    return result


def _traffic_over(result: Draft, base: Base) -> None:
    """Say which keys of the base a job has no use for, and refuse what a trace states over a base with one."""
    before, said = base.tree.get("workload"), result.tree.get("workload")
    if not (isinstance(before, dict) and isinstance(said, dict)):
        return
    of_traffic = [(key, before) for key in ("peak_factor", "profile", "growth")]
    for key, section in (("slo", base.tree), *of_traffic):
        if "offline" in said and key in section:
            result.unused.append(f"{key} of the base: a job waits, and only its end counts")
    for key in ("request_rate", "offline", "prompt_tokens", "output_tokens"):
        if "trace" in before and key in said:
            what, allowed = "the base is sized on a trace, which states this", "a base with workload.request_rate"
            result.refuse(f"workload.{key}", what, allowed=allowed)


def _filled(**values: str | list[str]) -> Tree:
    """The keys that have a value."""
    return {key: value if isinstance(value, str) else [*value] for key, value in values.items() if value}


def _objective(result: Draft, slots: Slots) -> None:
    if len(slots.objectives) > 1:
        both = " and ".join(slots.objectives)
        result.refuse("objective", "two objectives; ask for one at a time", read=both, allowed=", ".join(Objective))
    elif slots.objectives:
        result.tree["objective"] = str(slots.objectives[0])


def _context(lengths: Lengths, model: str | None, base: Base | None, vocabulary: Vocabulary) -> str | None:
    """The context that is asked for, prompt and answer together."""
    meant = model or (base.spec.model if base is not None else None)
    if lengths.full_context and lengths.context is None and meant is not None:
        return f"{vocabulary.context_tokens[meant]} tokens"
    return lengths.context


def _lengths(result: Draft, said: Lengths, context: str | None, base: Base | None) -> Tree:
    """Prompt and output lengths; those that nobody states are a chat's."""
    prompt: Value | None = said.prompt
    output: Value | None = said.output
    if prompt is None and context is not None:
        prompt = _prompt_that_fills(result, context, said.output)
    elif prompt is None and base is None:
        prompt = chat_lengths("prompt_tokens")
        result.assume("workload.prompt_tokens", _listed(CHAT["prompt_tokens"]), "prompts of a chat, as nothing is said")
    elif context is not None:
        result.unused.append(f"a context of {context}: prompt and output lengths say how much of it is used")
    if output is None and (base is None or context is not None):
        output = chat_lengths("output_tokens")
        result.assume("workload.output_tokens", _listed(CHAT["output_tokens"]), "answers of a chat, as nothing is said")
    for key, value in (("workload.prompt_tokens", said.prompt), ("workload.output_tokens", said.output)):
        if value is not None:
            result.assume(key, value, "every request is taken to be as long as said")
    tree: Tree = {}
    if prompt is not None:
        tree["prompt_tokens"] = prompt
    if output is not None:
        tree["output_tokens"] = output
    return tree


def _prompt_that_fills(result: Draft, context: str, output: str | None) -> str | None:
    """The prompt that fills a context together with the longest answer."""
    try:
        chat = LengthDistribution.from_statistics(**CHAT["output_tokens"])
        longest = chat.maximum if output is None else convert.length(output)
        prompt = convert.length(context) - longest
        text = _tokens(convert.length(_tokens(prompt)))
    except ValueProblem as error:
        result.refuse("context", error.what, read=error.read, allowed=error.allowed)
        return None
    result.assume(
        "workload.prompt_tokens", text, f"every prompt fills a context of {context}, with room for the longest answer"
    )
    return text


def _tokens(number: float) -> str:
    return f"{number:.0f} tokens"


def _listed(statistics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:,.0f}" for name, value in statistics.items())


def _load(result: Draft, slots: Slots, lengths: Tree, base: Base | None, rate: str | None) -> Tree:
    """What arrives, in the keys of `workload`; empty where nothing says it."""
    if rate is not None:
        convert.request_rate(rate)
        return {"request_rate": rate}
    if len(slots.traffic.rates) > 1:
        both = ", ".join(slots.traffic.rates)
        result.refuse(
            "workload.request_rate",
            "several rates; ask for one at a time",
            read=both,
            fix=f'--rate "{slots.traffic.rates[0]}"',
        )
        return {}
    if slots.traffic.rates and slots.traffic.batch is not None:
        both = f"{slots.traffic.rates[0]} and {_batch(slots.traffic.batch)}"
        result.refuse("workload.offline", "a rate and a batch; ask for one at a time", read=both)
        return {}
    if slots.traffic.rates:
        return {"request_rate": slots.traffic.rates[0]}
    if slots.traffic.batch is not None:
        requests, window = slots.traffic.batch
        return {"offline": {"requests": requests, "window": window}}
    try:
        found = load_of(slots, Load.of(lengths, None if base is None else base.spec))
    except ValueProblem as error:
        result.refuse("workload.request_rate", error.what, read=error.read, allowed=error.allowed)
        return {}
    if found is None:
        return {}
    text, why = found
    result.assume("workload.request_rate", text, why)
    return {"request_rate": text}


def _batch(batch: tuple[str, str]) -> str:
    requests, window = batch
    return f"{requests} requests in {window}"


def _slo(result: Draft, slots: Slots) -> Tree:
    tree: Tree = {}
    for limit in slots.limits:
        below = tree.setdefault(str(limit.metric), {})
        assert isinstance(below, dict), "every metric holds statistics"
        below[str(limit.statistic)] = limit.time
    each = slots.traffic.tokens_each_per_s
    if each:
        text = f"{1000.0 / each:.4g} ms"
        below = tree.setdefault("tpot", {})
        assert isinstance(below, dict), "every metric holds statistics"
        if below.setdefault("mean", text) != text:
            result.refuse("slo.tpot.mean", "another limit than before", read=f"{below['mean']} and {each:g} tokens/s")
        result.assume("slo.tpot.mean", text, f"{each:g} tokens/s for each user")
    return tree


def _inventory(result: Draft, slots: Slots, vocabulary: Vocabulary) -> Tree:
    hardware, where = slots.hardware, slots.where
    parts = list(hardware.accelerators)
    if not parts and hardware.memory_gb is not None:
        every = sorted(set(vocabulary.names.accelerators.values()))
        parts = [part for part in every if part.endswith(f"-{hardware.memory_gb}gb")]
        if parts:
            result.assume("inventory.accelerators", ", ".join(parts), f"every part with {hardware.memory_gb} GB")
        else:
            result.refuse("inventory.accelerators", "no part has this memory", read=f"{hardware.memory_gb} GB")
    estimated = [part for part in hardware.accelerators if part in vocabulary.estimated]
    if estimated:
        result.assume(
            "inventory.estimated_parts",
            "true",
            f"the step times of {', '.join(estimated)} are estimated, and the question names it",
        )
    return _filled(
        providers=list(where.providers),
        regions=list(where.regions),
        tiers=list(where.tiers),
        accelerators=parts,
        max_accelerators="" if hardware.total is None else str(hardware.total),
        estimated_parts="true" if estimated else "",
    )


def _layout(pins: Pins) -> Tree:
    tree: Tree = {}
    for axis, values in (("tp", pins.tp), ("pp", pins.pp), ("ep", pins.ep), ("dp_attention", pins.dp_attention)):
        if values and axis in pins.at_most:
            tree[axis] = {"max": str(values[-1])}
        elif values:
            tree[axis] = str(values[0]) if len(values) == 1 else [str(value) for value in values]
    return tree


def _unused(result: Draft, slots: Slots, *, stated: bool) -> None:
    if slots.pins.replicas is not None:
        result.unused.append(f"{slots.pins.replicas} replicas: their number follows from the rate")
    traffic = slots.traffic
    tokens, batch = traffic.tokens_per_s, traffic.batch
    used = "rate" if stated else "batch" if batch is not None else "volume of tokens" if tokens is not None else ""
    if stated and batch is not None and not traffic.rates:
        result.unused.append(f"{_batch(batch)}: the rate says how much arrives")
    if used in ("rate", "batch") and tokens is not None:
        result.unused.append(f"{tokens:,.4g} {traffic.tokens_kind} tokens/s: the {used} says how much arrives")
    if used and traffic.concurrency is not None:
        result.unused.append(f"{traffic.concurrency:,} users: the {used} says how much they ask")
    if traffic.rate_each is not None and (used or traffic.concurrency is None):
        why = f"the {used} says how much they ask" if used else "the number of users is not said"
        result.unused.append(f"{traffic.rate_each} each: {why}")
    if slots.pins.prefill_decode is not None:
        prefill, decode = slots.pins.prefill_decode
        result.unused.append(f"{prefill} prefill and {decode} decode instances: the solver counts instances")


def _missing(result: Draft, slots: Slots) -> None:
    """Note what a design cannot be found without."""
    workload = result.tree.get("workload")
    refused = {problem.key for problem in result.problems}
    if "model" not in result.tree and "model" not in refused:
        result.missing.append(Missing("model", "a model of the catalog", "--model llama-3.1-70b"))
    most = Objective.MOST_REQUESTS in slots.objectives
    arrives = isinstance(workload, dict) and bool({"request_rate", "offline", "trace"} & workload.keys())
    if not arrives and not most and "workload.request_rate" not in refused:
        result.missing.append(Missing("workload.request_rate", "how much arrives", '--rate "10 req/s"'))
    inventory = result.tree.get("inventory")
    capped = "budget" in result.tree or (isinstance(inventory, dict) and "max_accelerators" in inventory)
    if not capped and any(each.needs_cap for each in slots.objectives):
        what = "a budget, or a number of accelerators, without which there is no best"
        result.missing.append(Missing("budget", what, "within $60/h"))
