"""What the frequencies and generations that the search can afford cost in accuracy, over random operating points."""

from statistics import NormalDist

import numpy as np
import pytest

from optimizer.traffic import tails
from tests.optimizer.traffic.request_simulation import law_at, refine_series

BASE_S = 10e-3
ROWS = 40
# Sixteen bins of a log-normal length, ever thinner towards the longest.
EDGES = np.concatenate([np.linspace(0.0, 0.9, 13), [0.968, 0.99, 0.999, 1.0]])
SHARE = np.diff(EDGES)
MIDDLES = np.array([NormalDist().inv_cdf(p) for p in (EDGES[:-1] + EDGES[1:]) / 2.0])


@pytest.mark.parametrize(
    ("ratio", "spread", "worst_p99", "worst_share"),
    [((0.05, 5.0), 1.2, 0.01, 6e-4), ((5.0, 50.0), 1.0, 0.03, 4e-3)],
    ids=["chat: prompts of up to five steps", "long: prompts of five to fifty steps"],
)
def test_the_affordable_series_is_near_the_fine_one(
    monkeypatch: pytest.MonkeyPatch, ratio: tuple[float, float], spread: float, worst_p99: float, worst_share: float
) -> None:
    random = np.random.default_rng(3)
    ratios = np.exp(random.uniform(*np.log(ratio), ROWS))
    load = random.uniform(0.02, 0.8, ROWS)
    sizes = np.exp(random.uniform(0.0, spread, ROWS)[:, None] * MIDDLES)
    increments = sizes / (sizes * SHARE).sum(axis=1, keepdims=True) * ratios[:, None] * BASE_S
    rate = load / (ratios * BASE_S)

    with monkeypatch.context() as patched:
        refine_series(patched, 512)
        patched.setattr(tails, "GENERATIONS", 30)
        exact = law_at(rate, BASE_S, increments, SHARE).percentile(0.99)
    used = law_at(rate, BASE_S, increments, SHARE)
    np.testing.assert_allclose(used.percentile(0.99), exact, rtol=worst_p99)
    np.testing.assert_allclose(used.exceedance(exact), 0.01, atol=worst_share)
