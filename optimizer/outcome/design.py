"""The system: equal replicas on rented machines, and its cost."""

from optimizer.outcome.result import Result


class LayoutOut(Result):
    """Parallelism of one replica."""

    tp: int
    pp: int
    ep: int
    dp_attention: int


class FormatsOut(Result):
    """Number formats of a design."""

    weights: str
    activations: str
    kv: str


class EngineOut(Result):
    """Engine and its limits."""

    name: str
    max_num_seqs: int
    max_num_batched_tokens: int


class Pool(Result):
    """Equal replicas on equal instances; `available_instances` is null where nobody says how many there are."""

    role: str = "mixed"
    accelerator: str
    evidence: str
    offer: str
    price_kind: str
    price_date: str | None
    price_source: str
    usd_per_hour_per_instance: float
    available_instances: int | None
    instances: int
    replicas: int
    accelerators: int
    accelerators_per_replica: int
    layout: LayoutOut
    formats: FormatsOut
    engine: EngineOut


class Design(Result):
    """The system."""

    pools: tuple[Pool, ...]


class Cost(Result):
    """Cost of the design; each per-million figure divides the whole cost by that kind of token served.

    An offline job costs `usd_per_hour` while it runs, and nothing by the month; its `idle_share` is the drain's.
    """

    usd_per_hour: float
    usd_per_month: float | None
    usd_per_million_input_tokens: float
    usd_per_million_output_tokens: float
    usd_per_million_tokens: float
    idle_share: float
