"""The words of a launch command as settings, against the flags that an engine knows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import MappingProxyType

from optimizer.diagnose.launch.launch import LaunchError
from requirements_specs.known import nearest

LEGAL_FLAGS = Path(__file__).parent / "legal"


class Knob(StrEnum):
    """What a flag sets; the value names it in messages."""

    MODEL = "the model"
    TP = "the tensor-parallel size"
    PP = "the pipeline-parallel size"
    DP = "the data-parallel size"
    EP_SIZE = "the expert-parallel size"
    EP = "expert parallelism"
    ATTENTION_DP_SIZE = "the number of attention groups"
    ATTENTION_DP = "attention data parallelism"
    QUANTIZATION = "the quantization"
    DTYPE = "the data type"
    KV_DTYPE = "the KV cache type"
    MAX_NUM_SEQS = "the most requests at once"
    MAX_BATCHED_TOKENS = "the token budget of a step"
    MAX_LENGTH = "the longest request"
    MEMORY = "the memory fraction"
    PREFIX_CACHE = "prefix caching"
    NO_PREFIX_CACHE = "no prefix caching"
    CHUNKED_PREFILL = "chunked prefill"
    SPECULATION = "speculative decoding"
    SPECULATION_METHOD = "the method of speculative decoding"
    SPECULATION_MODEL = "the draft model"
    SPECULATION_TOKENS = "the number of drafted tokens"
    TRANSFER = "the KV transfer"
    ROLE = "the role of the server"
    PREFILL_WORKER = "a prefill worker"
    DECODE_WORKER = "a decode worker"
    SETTINGS_FILE = "a file of settings"


SWITCHES = frozenset(
    {
        Knob.EP,
        Knob.ATTENTION_DP,
        Knob.PREFIX_CACHE,
        Knob.NO_PREFIX_CACHE,
        Knob.CHUNKED_PREFILL,
        Knob.PREFILL_WORKER,
        Knob.DECODE_WORKER,
    }
)
ON, OFF = "true", "false"
_NEGATIVE = re.compile(r"-\d+(\.\d+)?")


@dataclass(frozen=True)
class Settings:
    """What a command sets, as text, the flags that set it, and every other legal flag that it has."""

    values: Mapping[Knob, str]
    flags: Mapping[Knob, str]
    others: tuple[str, ...]
    positional: tuple[str, ...]

    def text(self, knob: Knob) -> str | None:
        """The value as written, or None."""
        return self.values.get(knob)

    def on(self, knob: Knob) -> bool | None:
        """Whether a switch is on, or None where it is not named."""
        value = self.values.get(knob)
        return None if value is None else value != OFF

    def integer(self, knob: Knob) -> int | None:
        """A whole number of at least 1, or None; LaunchError for anything else."""
        value = self.values.get(knob)
        if value is None:
            return None
        if not re.fullmatch(r"\d{1,9}", value) or int(value) < 1:
            raise LaunchError(f"{self.flags[knob]} {value}: a whole number of at least 1 is expected")
        return int(value)

    def share(self, knob: Knob) -> float | None:
        """A number above 0 and at most 1, or None; LaunchError for anything else."""
        value = self.values.get(knob)
        if value is None:
            return None
        if not re.fullmatch(r"\d*\.?\d+", value) or not 0.0 < float(value) <= 1.0:
            raise LaunchError(f"{self.flags[knob]} {value}: a fraction above 0 and at most 1 is expected, as 0.9")
        return float(value)

    def record(self, knob: Knob) -> Mapping[str, object] | None:
        """A JSON object, or None; LaunchError for anything else."""
        value = self.values.get(knob)
        if value is None:
            return None
        try:
            found = json.loads(value)
        except RecursionError:
            raise LaunchError(f"{self.flags[knob]}: JSON that is nested too deeply") from None
        except ValueError as error:  # also of an integer of thousands of digits
            raise LaunchError(f"{self.flags[knob]}: not JSON: {error}; quote the whole object: '{{…}}'") from None
        if not isinstance(found, dict):
            raise LaunchError(f"{self.flags[knob]}: a JSON object is expected, not {value}")
        return found


def read_settings(
    words: Sequence[str], knobs: Mapping[str, Knob], legal: frozenset[str], engine: str, foreign: str | None = None
) -> Settings:
    """Sort the words after the launcher into settings.

    Underscores and hyphens are one; `--flag=value` and `--no-flag` are read. A flag that changes nothing here keeps its
    words to itself, and so does one that begins with `foreign`, which belongs to what starts the engine.
    Raises LaunchError for an unknown flag, with the nearest legal one, and for a missing value.
    """
    values: dict[Knob, str] = {}
    flags: dict[Knob, str] = {}
    others: list[str] = []
    positional: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-") or _NEGATIVE.fullmatch(word):
            positional.append(word)
            continue
        written, joined, value = word.partition("=")
        flag = _spelled(written)
        positive = f"--{flag.removeprefix('--no-')}"
        knob = knobs.get(flag)
        if knob is None and knobs.get(positive) in SWITCHES:
            values[knobs[positive]], flags[knobs[positive]] = OFF, flag
        elif knob in SWITCHES:
            values[knob], flags[knob] = (value.lower() if joined else ON), flag
        elif knob is not None:
            if not joined:
                if not left or _is_flag(left[0]):
                    raise LaunchError(f"{written} needs a value: {knob.value}")
                value = left.pop(0)
            values[knob], flags[knob] = value, flag
        elif _is_legal(flag, positive, legal, foreign):
            others.append(flag)
            while not joined and left and not _is_flag(left[0]):
                left.pop(0)
        else:
            near = nearest(flag, sorted({*knobs, *legal}))
            raise LaunchError(f"{engine} has no flag {written}" + (f"; nearest: {', '.join(near)}" if near else ""))
    return Settings(MappingProxyType(values), MappingProxyType(flags), tuple(others), tuple(positional))


def _is_legal(flag: str, positive: str, legal: frozenset[str], foreign: str | None) -> bool:
    """Whether a flag exists, its negation does, or it is a short one, which no list has."""
    known = flag.partition(".")[0] in legal or positive in legal or not flag.startswith("--")
    return known or (foreign is not None and flag.startswith(foreign))


def _spelled(flag: str) -> str:
    return flag.replace("_", "-") if flag.startswith("--") else flag


def _is_flag(word: str) -> bool:
    return word.startswith("-") and not _NEGATIVE.fullmatch(word)


@cache
def legal_flags(engine: str) -> frozenset[str]:
    """Every flag of an engine's server that is known to exist; lines with # say from where."""
    lines = (LEGAL_FLAGS / f"{engine}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(flag for line in lines if not line.startswith("#") for flag in line.split())
