"""What the mechanisms of an engine do to the design."""

from enum import StrEnum

from optimizer.outcome.result import Result


class Mechanism(StrEnum):
    """A choice of the engine beside hardware and layout."""

    CHUNKED_PREFILL = "chunked_prefill"
    PREFIX_CACHE = "prefix_cache"
    FP8_KV = "fp8_kv"
    DP_ATTENTION = "dp_attention"
    SPECULATIVE_DECODING = "speculative_decoding"


class Worth(StrEnum):
    """What a mechanism is worth: the rate that the design carries with it against that without it.

    needed: without it the design carries nothing. not_offered: this model, part or layout cannot have it. not_stated:
    what it gains depends on what the specification does not say.
    """

    GAINS = "gains"
    NOTHING = "nothing"
    LOSES = "loses"
    NEEDED = "needed"
    NOT_OFFERED = "not_offered"
    NOT_STATED = "not_stated"


class MechanismFigures(Result):
    """The design by the laws; null where it is overloaded.

    `highest_rate_per_s` is the most that it carries within every requirement at the risk of the specification, 0 if
    nothing; the percentiles are the point prediction at the rate that is asked.
    """

    highest_rate_per_s: float
    ttft_p99_s: float | None
    tpot_p99_s: float | None


class SettingOut(Result):
    """The design with a mechanism set in one way; `figures` is null where that cannot be evaluated."""

    name: str
    figures: MechanismFigures | None


class ResolvedOut(Result):
    """The specification with `requirement` changed, solved again; the cost is null where nothing meets it."""

    requirement: str
    to: str
    usd_per_hour: float | None


class MechanismOut(Result):
    """A mechanism `off` and `on`, at the same machines, layout and replicas.

    `in_use` says whether the design has it. `gain` is the highest rate on over that off, less one: 0 where it cannot be
    evaluated, null where the design carries nothing without it.
    """

    mechanism: Mechanism
    in_use: bool
    off: SettingOut
    on: SettingOut
    worth: Worth
    gain: float | None
    reason: str
    resolved: ResolvedOut | None


class BatchOut(Result):
    """Drafts in one batch: the step that verifies in decode steps, and what must be accepted to be no slower.

    `acceptance_needed` is null where not even all drafts are enough. `speed_up` is of a sequence between prompts, null
    without an acceptance.
    """

    sequences: float
    verify_steps: float
    acceptance_needed: float | None
    speed_up: float | None


class SpeculationOut(Result):
    """Where drafted tokens pay on the design: `running` at the sequences that decode at the asked rate, then a curve.

    `most_sequences` fit into the cache and the engine's slots. `null_move`: drafts gain nothing at the sequences that
    run; from `null_from` sequences on they never do, null where they still do at the most. Both are null without an
    acceptance, as `draft_cost` and `kept_tokens` per step are.
    """

    drafted: int
    acceptance: float | None
    draft_cost: float | None
    kept_tokens: float | None
    running: BatchOut
    curve: tuple[BatchOut, ...]
    most_sequences: int
    null_move: bool | None
    null_from: int | None


class MechanismsOut(Result):
    """Every mechanism at the design, at the rate that it was designed for."""

    request_rate_per_s: float
    choices: tuple[MechanismOut, ...]
    speculation: SpeculationOut
