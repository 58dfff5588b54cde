"""The answer to "why is it slower?": one object with the same keys in every answer; seconds, tokens, bytes."""

from __future__ import annotations

from enum import StrEnum

from optimizer.outcome import Assumed, FormatsOut, LayoutOut, Result

SCHEMA_VERSION = 1


class Metric(StrEnum):
    """What can be measured and held against the prediction."""

    TPOT = "tpot_s"
    TTFT = "ttft_s"
    TOKENS_PER_S = "output_tokens_per_s"


class Cause(StrEnum):
    """What makes a deployment slow, or a comparison unfair."""

    KV_PRESSURE = "kv-pressure"
    ENGINE_SLOTS = "engine-slots"
    OVERLOAD = "overload"
    PREFILL_INTERFERENCE = "prefill-interference"
    COLLECTIVES = "collectives"
    SMALL_SHARDS = "small-shards"
    ENGINE = "engine"
    LAUNCHES = "launches"
    LAYOUT = "layout"
    IDLE_ACCELERATORS = "idle-accelerators"
    FORMAT_NOT_NATIVE = "format-not-native"
    WEIGHT_ONLY_FORMAT = "weight-only-format"
    SPECULATIVE_DECODING = "speculative-decoding"
    POOLS = "pools"
    NOT_COUNTED = "not-counted"
    OLDER_ENGINE = "older-engine"
    UNEXPLAINED = "unexplained"
    MEASUREMENTS_DISAGREE = "measurements-disagree"


class Verdict(StrEnum):
    """How what was measured stands to the 90 % interval of the prediction."""

    INSIDE = "inside"
    SLOWER = "slower"
    FASTER = "faster"
    NOT_MEASURED = "not measured"


class Interval(Result):
    """A prediction and the ends of its central 90 % interval; no upper end where a slower step would overload."""

    value: float
    low: float
    high: float | None


class Server(Result):
    """What the command was read as; limits that it does not state are None."""

    engine: str
    model: str
    accelerator: str
    hosts: int
    accelerators_per_host: int
    accelerators: int
    replicas: int
    layout: LayoutOut
    formats: FormatsOut
    max_num_seqs: int | None
    max_num_batched_tokens: int
    role: str | None


class LoadOut(Result):
    """The load of the whole deployment; neither clients nor a rate: every request at once."""

    prompt_tokens: float
    output_tokens: float
    concurrency: float | None
    request_rate: float | None


class Occupancy(Result):
    """KV cache of one replica, in tokens and in requests of this load, and the requests that run and that want to."""

    kv_tokens: float
    requests_held: float
    requests_running: float
    requests_offered: float | None


class FiguresOut(Result):
    """Means of the whole deployment."""

    ttft_s: Interval
    tpot_s: Interval
    e2e_s: Interval
    output_tokens_per_s: Interval


class TermOut(Result):
    """A part of a predicted time and its share of it."""

    term: str
    seconds: float
    share: float


class Terms(Result):
    """Predicted means taken apart; the parts of each sum to it."""

    tpot_s: tuple[TermOut, ...]
    ttft_s: tuple[TermOut, ...]


class Comparison(Result):
    """A measured mean beside its prediction; `ratio` is measured over predicted."""

    metric: Metric
    measured: float
    predicted: Interval
    ratio: float
    verdict: Verdict


class Finding(Result):
    """One cause in words; `premise`: an expectation that the physics does not support."""

    cause: Cause
    says: str
    premise: bool = False


class PoolsOut(Result):
    """Prefill and decode pools, which are not predicted: what bounds them.

    prompts_per_s: what the prefill pool computes at most. output_tokens_per_s_at_most: what neither pool lets pass.
    prefill_share_of_work: of all accelerator time; prefill_share_of_accelerators: as split. balanced_output_tokens: the
    output length at which this split is right. waiting_for_prefill: measured requests before their first token, None
    if nothing was measured.
    """

    prefill_accelerators: int
    decode_accelerators: int
    prompts_per_s: float
    output_tokens_per_s_at_most: float
    prefill_share_of_work: float
    prefill_share_of_accelerators: float
    balanced_output_tokens: float
    waiting_for_prefill: float | None


class Change(Result):
    """Another arrangement of the same accelerators under the same load; `gain` is of the metric it was chosen by."""

    replicas: int
    layout: LayoutOut
    formats: FormatsOut
    output_tokens_per_s: float
    tpot_s: float
    ttft_s: float
    metric: str
    gain: float


class Diagnosis(Result):
    """The whole answer. `figures` and `terms` are null where the arrivals exceed what the deployment carries."""

    schema_version: int = SCHEMA_VERSION
    server: Server
    load: LoadOut
    occupancy: Occupancy
    figures: FiguresOut | None
    terms: Terms | None
    verdict: Verdict
    measured: tuple[Comparison, ...]
    findings: tuple[Finding, ...]
    pools: PoolsOut | None
    best_change: Change | None
    arrangements: int
    assumed: tuple[Assumed, ...]
    catalog_hash: str
    warnings: tuple[str, ...] = ()
