"""What was asked: the scope of the proof, what was assumed, and the files that the specification names."""

from optimizer.outcome.result import Result


class Scope(Result):
    """What the proof covers; `custom_parts` are those that the specification brings, measured or not."""

    pools: str
    engines: tuple[str, ...]
    formats: tuple[str, ...]
    estimated_parts: bool
    undated: bool
    custom_parts: tuple[str, ...] = ()


class Assumed(Result):
    """Something that the user did not state."""

    key: str
    value: str
    why: str


class PriceFileOut(Result):
    """The user's own prices beside the catalog: the file as the spec names it, and the SHA-256 of its bytes.

    `offers` is how many offers it prices, `admitted` how many of these the inventory admits.
    """

    file: str
    sha256: str
    offers: int
    admitted: int


class DispersionOut(Result):
    """Variance over mean of the requests in bins of `scale_s` seconds: 1 for Poisson arrivals, more for bursts."""

    scale_s: float
    index: float


class TraceOut(Result):
    """The trace that rate and lengths were read from: its file, the SHA-256 of its bytes, and its busiest window.

    `correlation` of prompt and output lengths and `index_of_dispersion` are of the window, where they are known;
    `prefix_hit_ceiling` is the share of all prompt tokens that came before, None for a trace without hashes.
    """

    file: str
    sha256: str
    requests: int
    window_start: str
    window_s: float
    window_requests: int
    index_of_dispersion: tuple[DispersionOut, ...]
    correlation: float | None
    prefix_hit_ceiling: float | None
