"""The five questions of `init`: each answer is read by the converters and scanners of a spec or a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from requirements_specs import convert
from requirements_specs.ask.chat import CHAT, chat_lengths
from requirements_specs.ask.coverage import coverage
from requirements_specs.ask.latency import read_limits
from requirements_specs.ask.lengths import read_lengths
from requirements_specs.ask.money import read_money
from requirements_specs.ask.reading import Reading
from requirements_specs.ask.vocabulary import Vocabulary
from requirements_specs.ask.where import read_where
from requirements_specs.errors import ValueProblem
from requirements_specs.lengths import LengthDistribution
from requirements_specs.write import Tree


@dataclass(frozen=True)
class Question:
    """One question: what is asked, the answer that Enter gives, and how an answer becomes keys.

    `read` gets the answer, the vocabulary and the keys so far, and returns more keys; it raises ValueProblem for an
    answer that is not allowed.
    """

    text: str
    default: str
    read: Callable[[str, Vocabulary, Tree], Tree]


def _model(answer: str, vocabulary: Vocabulary, _: Tree) -> Tree:
    return {"model": vocabulary.model_id(answer)}


def _traffic(answer: str, *_: object) -> Tree:
    convert.request_rate(answer)
    return {"workload": {"request_rate": answer}}


def _lengths(answer: str, vocabulary: Vocabulary, so_far: Tree) -> Tree:
    if answer == "chat":
        longest = float(sum(LengthDistribution.from_statistics(**each).maximum for each in CHAT.values()))
        keys: Tree = {key: chat_lengths(key) for key in CHAT}
    else:
        reading = Reading(answer)
        said = read_lengths(reading)
        if said.prompt is None or said.output is None or reading.problems or not _all_read(reading):
            allowed = "chat; 8k prompts, 300 token answers; 512/200 tokens"
            raise ValueProblem("not two lengths", read=answer, allowed=allowed)
        longest = convert.length(said.prompt) + convert.length(said.output)
        keys = {"prompt_tokens": said.prompt, "output_tokens": said.output}
    model = str(so_far["model"])
    most = vocabulary.context_tokens[model]
    if longest > most:
        read = f"{longest:,.0f} tokens in the longest request"
        raise ValueProblem(f"longer than the context of {model}", read=read, allowed=f"at most {most:,} tokens")
    workload = so_far["workload"]
    assert isinstance(workload, dict), "the traffic is asked first"
    return {"workload": {**workload, **keys}}


def _limit(answer: str, *_: object) -> Tree:
    if answer == "none":
        return {}
    reading = Reading(answer)
    limits = read_limits(reading)
    if not limits or reading.problems or not _all_read(reading):
        what = reading.problems[0].what if reading.problems else "not a latency limit"
        raise ValueProblem(what, read=answer, allowed="none; ttft p99 200 ms; ttft p99 200 ms, tpot p99 50 ms")
    slo: dict[str, Tree] = {}
    for limit in limits:
        convert.latency(limit.time)
        slo.setdefault(str(limit.metric), {})[str(limit.statistic)] = limit.time
    return {"slo": {**slo}}


def _budget_and_place(answer: str, vocabulary: Vocabulary, _: Tree) -> Tree:
    if answer == "none":
        return {}
    reading = Reading(answer)
    money, where = read_money(reading), read_where(reading, vocabulary)
    if reading.problems or not _all_read(reading) or where.engines:
        what = reading.problems[0].what if reading.problems else "neither a budget nor a provider, region or tier"
        raise ValueProblem(what, read=answer, allowed="none; $60/h; $40k/month on aws or lambda; spot in us-east-1")
    inventory: Tree = {}
    for key, names in (("providers", where.providers), ("regions", where.regions), ("tiers", where.tiers)):
        if names:
            inventory[key] = list(names)
    sections: Tree = {"budget": {str(metric): text for metric, text in money.budgets}, "inventory": inventory}
    return {key: section for key, section in sections.items() if section}


def _all_read(reading: Reading) -> bool:
    return not coverage(reading)[1]


INTERVIEW = (
    Question("Which model? (roofplan catalog list models, or the path of a config.json)", "llama-3.1-70b", _model),
    Question("How much arrives?", "10 req/s", _traffic),
    Question("How long are prompts and answers? (chat, or as: 8k prompts, 300 token answers)", "chat", _lengths),
    Question("Which latency must hold? (none, or as: ttft p99 200 ms, tpot p99 50 ms)", "ttft p99 200 ms", _limit),
    Question("Which budget, and where? (none, or as: $60/h on aws or lambda)", "none", _budget_and_place),
)
"""Model, traffic, lengths, limit, and budget with place, in this order."""
