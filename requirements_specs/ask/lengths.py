"""How long prompts, answers and contexts are."""

import re
from dataclasses import dataclass

from requirements_specs.ask.amounts import AMOUNT, prefixed
from requirements_specs.ask.reading import Reading

_KINDS = {
    "prompt": r"isl|prompts?|inputs?",
    "output": r"osl|outputs?|answers?|responses?|completions?|generations?|generated|repl(?:y|ies)",
    "context": r"contexts?(?: (?:windows?|lengths?|sizes?))?|max[- ]model[- ]len|sequence lengths?",
}
_TOKENS = r"(?:[- ]?(?:tokens?|toks?))"
_LENGTH = r"(?:[- ](?:lengths?|len|sizes?|tokens?))*"
_IS = r"(?: ?[=:~]| (?:of|is|are|with|around|about|at|up to|averag(?:e|ing))){0,2}"
_FULL_CONTEXT = re.compile(r"(?<!\w)(?:full|whole|entire|max(?:imum)?) context(?: (?:window|length|size))?(?!\w)")
_PAIRS = (
    re.compile(
        rf"(?P<prompt>{AMOUNT}){_TOKENS}? in(?:put)?(?: ?[/,]| and)? ?(?P<output>{AMOUNT}){_TOKENS}? out(?:put)?(?!\w)"
    ),
    re.compile(rf"(?P<prompt>{AMOUNT}) ?/ ?(?P<output>\d+(?:\.\d+)?k?){_TOKENS}(?!\w)"),
)
_ONE = tuple(
    re.compile(pattern)
    for kind, names in _KINDS.items()
    for pattern in (
        rf"(?P<amount>{AMOUNT}){_TOKENS}?[- ](?:of )?(?P<{kind}>{names}){_LENGTH}(?![\w=])",
        rf"(?<!\w)(?P<{kind}>{names}){_LENGTH}{_IS} ?(?P<amount>{AMOUNT}){_TOKENS}?(?![\w%$])",
    )
)


@dataclass(frozen=True)
class Lengths:
    """Lengths as a spec writes them (`8k tokens`); None where nothing is said.

    `context` is of prompt and answer together; `full_context`: as much as the model holds.
    """

    prompt: str | None = None
    output: str | None = None
    context: str | None = None
    full_context: bool = False


def read_lengths(reading: Reading) -> Lengths:
    """Read lengths of every form that people use: `8k prompts`, `ISL=2048`, `128k context`, `512 in / 128 out`."""
    full = bool(list(reading.take(_FULL_CONTEXT)))
    said: dict[str, str] = {}
    for pattern in _PAIRS:
        for match in list(reading.take(pattern)):
            _say(reading, said, "prompt", match["prompt"], match)
            _say(reading, said, "output", match["output"], match)
            value = f"prompt {said['prompt']}, output {said['output']}"
            reading.note("workload", value, f"{match[0]} is read as prompt and output")
    while (found := _first(reading.left)) is not None:
        reading.claim(found.start(), found.end())
        kind = next(kind for kind in _KINDS if found.groupdict().get(kind))
        _say(reading, said, kind, found["amount"], found)
    return Lengths(said.get("prompt"), said.get("output"), said.get("context"), full)


def _first(text: str) -> re.Match[str] | None:
    """The form that begins first, the longest of those: whether numbers stand before or behind shows at the start."""
    found = [match for pattern in _ONE if (match := pattern.search(text)) is not None]
    return min(found, key=lambda match: (match.start(), -match.end()), default=None)


def _say(reading: Reading, said: dict[str, str], kind: str, amount: str, match: re.Match[str]) -> None:
    tokens = f"{prefixed(amount)} tokens"
    if said.setdefault(kind, tokens) != tokens:
        key = "context" if kind == "context" else f"workload.{kind}_tokens"
        reading.refuse(match.start(), key, "another length than before", read=f"{said[kind]} and {tokens}")
