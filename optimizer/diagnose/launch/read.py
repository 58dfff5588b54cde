"""From the text of a launch command to a `Launch`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from optimizer.diagnose.launch.engines import SYNTAXES, Syntax
from optimizer.diagnose.launch.flags import Knob, Settings, legal_flags, read_settings
from optimizer.diagnose.launch.formats import is_half_precision, kv_of, weights_of
from optimizer.diagnose.launch.launch import Launch, LaunchError, MemoryShare, PoolRole, Speculation, Unmodelled

# Dynamo starts the engines as workers, with flags of its own beside theirs.
DYNAMO = "dynamo."
DYNAMO_FLAGS = "--dyn-"
_VARIABLE = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_PYTHON = re.compile(r"(?:.*/)?python[\d.]*")
# No engine drafts nearly as many tokens per step.
MOST_DRAFTED = 100
_ROLES = {
    "prefill": PoolRole.PREFILL,
    "context": PoolRole.PREFILL,
    "kv_producer": PoolRole.PREFILL,
    "decode": PoolRole.DECODE,
    "generation": PoolRole.DECODE,
    "kv_consumer": PoolRole.DECODE,
}
# Roles of a server that does both.
_NO_ROLE = frozenset({"null", "none", "agg", "kv_both", "prefill_and_decode"})


def read_launch(text: str) -> Launch:
    """The server that a command starts; variables before it and the path of its program do not matter.

    Raises LaunchError: no known launcher, an unknown flag or value, or no model.
    """
    syntax, launcher, words = _started(text)
    foreign = DYNAMO_FLAGS if launcher[-1].startswith(DYNAMO) else None
    settings = read_settings(words, syntax.knobs, legal_flags(syntax.engine), syntax.label, foreign)
    return Launch(
        engine=syntax.engine,
        model=_model(settings, syntax),
        tp=settings.integer(Knob.TP) or 1,
        pp=settings.integer(Knob.PP) or 1,
        data_parallel=1 if settings.on(Knob.ATTENTION_DP) else settings.integer(Knob.DP) or 1,
        data_parallel_means=syntax.data_parallel,
        expert_parallel=None if settings.on(Knob.EP) else settings.integer(Knob.EP_SIZE) or 1,
        attention_groups=_attention_groups(settings),
        weights=None if (named := settings.text(Knob.QUANTIZATION)) is None else weights_of(named),
        half_precision=is_half_precision(settings.text(Knob.DTYPE) or "auto"),
        kv=kv_of(settings.text(Knob.KV_DTYPE) or "auto"),
        max_num_seqs=settings.integer(Knob.MAX_NUM_SEQS),
        seats_per_group=syntax.seats_per_group,
        max_num_batched_tokens=_token_budget(settings),
        longest_request=_length(settings),
        memory=None if (share := settings.share(Knob.MEMORY)) is None else MemoryShare(syntax.memory, share),
        prefix_caching=False if settings.on(Knob.NO_PREFIX_CACHE) else settings.on(Knob.PREFIX_CACHE),
        speculation=_speculation(settings),
        role=_role(settings),
        unmodelled=_unmodelled(settings, syntax),
        settings_file=settings.text(Knob.SETTINGS_FILE),
    )


def _unmodelled(settings: Settings, syntax: Syntax) -> tuple[Unmodelled, ...]:
    found = [Unmodelled(flag, syntax.unmodelled[flag]) for flag in settings.others if flag in syntax.unmodelled]
    if settings.on(Knob.CHUNKED_PREFILL) is False:
        effect = "a prompt runs whole in a step of its own, and every other request waits for it"
        found.append(Unmodelled(settings.flags[Knob.CHUNKED_PREFILL], effect))
    return tuple(dict.fromkeys(found))


def _started(text: str) -> tuple[Syntax, tuple[str, ...], list[str]]:
    """The engine that the first words start, these words, and the words after them."""
    try:
        words = shlex.split(text.replace("\\\r\n", " ").replace("\\\n", " "), comments=False)
    except ValueError as error:
        raise LaunchError(f"the command cannot be split into words: {error}") from None
    while words and _VARIABLE.fullmatch(words[0]):
        words.pop(0)
    if words and _PYTHON.fullmatch(words[0]):
        words.pop(0)
    if words:
        words[0] = words[0].rpartition("/")[2] or words[0]
    for syntax in SYNTAXES:
        for launcher in syntax.launchers:
            if tuple(words[: len(launcher)]) == launcher:
                return syntax, launcher, words[len(launcher) :]
    begun = " ".join(words[:2]) or "nothing"
    known = "; ".join(
        ("python " if launcher[0] == "-m" else "") + " ".join(launcher)
        for syntax in SYNTAXES
        for launcher in syntax.launchers
    )
    raise LaunchError(f"the command begins with {begun}; known: {known}")


def _model(settings: Settings, syntax: Syntax) -> str:
    named = settings.text(Knob.MODEL)
    models = [*settings.positional, *([] if named is None else [named])]
    if len(models) == 1:
        return models[0]
    if not models:
        raise LaunchError(f"the command names no model: put it right after {syntax.label}")
    raise LaunchError(f"the command has words that no flag takes: {' '.join(models[1:])}")


def _attention_groups(settings: Settings) -> int:
    """Attention data parallelism inside the tensor-parallel group."""
    stated = settings.integer(Knob.ATTENTION_DP_SIZE)
    if stated is not None:
        return stated
    if not settings.on(Knob.ATTENTION_DP):
        return 1
    return settings.integer(Knob.DP) or 1


def _token_budget(settings: Settings) -> int | None:
    """Prompt tokens of a step; SGLang's −1, which switches chunks off, leaves the engine's own."""
    if settings.text(Knob.MAX_BATCHED_TOKENS) == "-1":
        return None
    return settings.integer(Knob.MAX_BATCHED_TOKENS)


def _length(settings: Settings) -> int | None:
    """Longest request in tokens; vLLM reads `32k` and `auto` too."""
    text = settings.text(Knob.MAX_LENGTH)
    if text is None or text.lower() in ("auto", "-1"):
        return None
    scaled = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([kK])", text)
    tokens = 0 if scaled is None else int(float(scaled[1]) * (1024 if scaled[2] == "K" else 1000))
    return tokens or settings.integer(Knob.MAX_LENGTH)


def _speculation(settings: Settings) -> Speculation | None:
    record = settings.record(Knob.SPECULATION)
    if record is not None:
        method = record.get("method") or record.get("model") or "draft model"
        return Speculation(str(method), _drafted("num_speculative_tokens", record.get("num_speculative_tokens")))
    method_text = settings.text(Knob.SPECULATION_METHOD) or settings.text(Knob.SPECULATION_MODEL)
    if method_text is None:
        return None
    tokens = settings.integer(Knob.SPECULATION_TOKENS)
    return Speculation(method_text, _drafted(settings.flags.get(Knob.SPECULATION_TOKENS, ""), tokens))


def _drafted(name: str, tokens: object) -> int | None:
    """Drafted tokens per step, None where none are stated; `name` is what states them, for the message."""
    if tokens is None:
        return None
    if isinstance(tokens, bool) or not isinstance(tokens, int) or not 1 <= tokens <= MOST_DRAFTED:
        raise LaunchError(f"{name} {tokens!r}: a whole number from 1 to {MOST_DRAFTED} is expected")
    return tokens


def _role(settings: Settings) -> PoolRole | None:
    if settings.on(Knob.PREFILL_WORKER):
        return PoolRole.PREFILL
    if settings.on(Knob.DECODE_WORKER):
        return PoolRole.DECODE
    text = settings.text(Knob.ROLE)
    transfer: Mapping[str, object] | None = settings.record(Knob.TRANSFER)
    if text is None and transfer is not None:
        text = str(transfer.get("kv_role", "kv_both"))
    if text is None or text.lower() in _NO_ROLE:
        return None
    if text.lower() not in _ROLES:
        raise LaunchError(f"role {text!r} of the server is unknown; known: {', '.join([*_ROLES, *sorted(_NO_ROLE)])}")
    return _ROLES[text.lower()]
