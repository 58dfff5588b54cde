"""Waiting before the first token: the law of TTFT under open arrivals and continuous batching.

Prompts that arrive during a step are prefilled together in the next one, so step lengths follow a branching
recursion with immigration, T' = h + (prefill of the arrivals during T). With M(θ) the transform of one prompt's
prefill increment and g(θ) = λ(M(θ) − 1),

    ln E e^{θT} = h·S(θ),   S(θ) = θ + g(θ) + g(g(θ)) + …

and a request waits W = (rest of the step it meets) + (others' prefill in its own step):

    E e^{θW} = [E e^{(θ + g(θ))T} − E e^{g(θ)T}] / (θ·E T).

Bursts and routing change g, and who shares the step (`prompt_stream.py`): in a batch its mates do, from a router that
takes pipelines in turn fewer do.

TTFT = host time + W + own steps + own prefill, the last two exact per prompt bin. The law of W is inverted by its
cosine series (Fang & Oosterlee 2008). The base step h differs between a usual and a crowded number of decoding
sequences: 5/6 of the steps at the mean, 1/6 at √3 standard deviations above (a Gauss–Hermite rule whose lower node is
moved up to the mean, which keeps every percentile non-decreasing in the rate).

Rates are per pipeline, times seconds; R candidates, J prompt bins, F frequencies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.fluid import OperatingPoint
from optimizer.traffic.percentile import percentile
from optimizer.traffic.prompt_stream import PromptStream, prompt_stream
from optimizer.traffic.workload_bins import WorkloadBins

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

FREQUENCIES = 160
# The law of W is kept at this many equal parts of its support, and is linear between them.
PARTS = 400
# Terms of S(θ) before the rest is closed by its expansion.
GENERATIONS = 4
# The law of W is represented up to its mean plus this many standard deviations.
SUPPORT_DEVIATIONS = 10.0
CROWDED_DEVIATIONS = float(np.sqrt(3.0))
USUAL_SHARE, CROWDED_SHARE = 5.0 / 6.0, 1.0 / 6.0
# A support that no latency notices, for a law without waiting.
_NO_WAIT_S = 1e-15


@dataclass(frozen=True)
class FirstTokenLaw:
    """The law of TTFT of R candidates.

    support_s (R,): W lies in [0, support]. beyond (R, PARTS + 1): P(W > position·support), non-increasing.
    own_s (R, J): host time, own steps and own prefill per prompt bin. prompt_share (J,). mean_s (R,).
    """

    support_s: Floats
    beyond: Floats
    own_s: Floats
    prompt_share: Floats
    mean_s: Floats

    def exceedance(self, limit_s: Floats) -> Floats:
        """P(TTFT > limit), (R,), of limits (R,) in seconds."""
        left_over = limit_s[:, None] - self.own_s
        place = np.clip(left_over / self.support_s[:, None], 0.0, 1.0) * PARTS
        part = np.minimum(place.astype(np.int64), PARTS - 1)
        start = np.take_along_axis(self.beyond, part, axis=1)
        stop = np.take_along_axis(self.beyond, part + 1, axis=1)
        tail = np.where(left_over <= 0.0, 1.0, start + (place - part) * (stop - start))
        exceedance: Floats = (tail * self.prompt_share).sum(axis=1)
        return exceedance

    def percentile(self, probability: float) -> Floats:
        """Smallest time that at most 1 − probability of the requests exceed; (R,) seconds."""
        least_s, most_s = self.own_s.min(axis=1), self.own_s.max(axis=1) + self.support_s
        return percentile(self.exceedance, probability, least_s, most_s)


def own_time(hold_s: Floats, added_s: Floats, host_s: Floats, own_prefill_factor: Floats) -> Floats:
    """Part of TTFT that does not wait for others, (R, J): host + steps that carry the prompt + (factor − 1)·its work.

    The steps are those of a usual number of decoding sequences; only the wait knows crowded ones.

    Args:
        hold_s: length of the steps that carry the prompt, (R, J).
        added_s: what the prompt adds to steps that decode anyway, (R, J).
        host_s: time outside the steps (tokenisation, scheduling, transport), (R,).
        own_prefill_factor: measured ratio of the wait for the own prefill to its work, (R,); counts as 1 below that.

    """
    return host_s[:, None] + hold_s + np.maximum(own_prefill_factor - 1.0, 0.0)[:, None] * added_s


def first_token_law(point: OperatingPoint, own_s: Floats, crowded_ratio: Floats, bins: WorkloadBins) -> FirstTokenLaw:
    """Law of TTFT at operating points in a steady state.

    Args:
        point: R operating points with queue_load < 1.
        own_s: from `own_time`, (R, J).
        crowded_ratio: decode step at √3 standard deviations above the mean number of sequences, over that at the
            mean, (R,), ≥ 1.
        bins: the workload.

    """
    rho = point.queue_load
    base = np.stack([point.decode_s, point.decode_s * crowded_ratio], axis=1)
    weights = np.array([USUAL_SHARE, CROWDED_SHARE])
    mean_step = (base * weights).sum(axis=1) / (1.0 - rho)
    stream = prompt_stream(point.rate_per_s, point.queue_s, point.dispersion, bins.prompt_share)
    met_mean, met_second = _met_step(stream, base, weights, mean_step)
    mates_mean, mates_variance = stream.mates_moments
    mean_wait = (0.5 + stream.company * rho) * met_mean + mates_mean
    variance = met_second / 12.0 + stream.moments[1] * met_mean + (0.5 + rho) ** 2 * (met_second - met_mean**2)
    # Never shorter than a step with the longest prompt: moving with a small rate, it would move the series' error.
    longest_step = base[:, 1] + point.queue_s.max(axis=1)
    support = np.maximum(mean_wait + SUPPORT_DEVIATIONS * np.sqrt(variance + mates_variance), longest_step)

    transform = _wait_transform(np.pi / support, stream, base, weights, mean_step)
    return FirstTokenLaw(
        support_s=support,
        beyond=_tail(np.ascontiguousarray(transform.real)),
        own_s=own_s,
        prompt_share=bins.prompt_share,
        mean_s=mean_wait + (own_s * bins.prompt_share).sum(axis=1),
    )


def law_without_waiting(own_s: Floats, bins: WorkloadBins) -> FirstTokenLaw:
    """Law of TTFT of requests that wait for nobody; `own_s` from `own_time`, (R, J)."""
    share = bins.prompt_share
    beyond = np.zeros((len(own_s), PARTS + 1))
    beyond[:, 0] = 1.0
    return FirstTokenLaw(
        support_s=np.full(len(own_s), _NO_WAIT_S),
        beyond=beyond,
        own_s=own_s,
        prompt_share=share,
        mean_s=(own_s * share).sum(axis=1),
    )


@cache
def _sine_waves(frequencies: int, parts: int) -> Floats:
    """Terms of the damped sine series of a distribution function, (parts + 1, frequencies − 1): 2·gₙ·sin(πnx)/(πn).

    The gₙ are Jackson's, a positive kernel: a law that is longer everywhere stays longer everywhere, so percentiles
    never fall as the rate rises and the tail has no ripples. It widens the law by about its support over the
    frequencies.
    """
    orders = np.arange(1, frequencies)
    positions = np.linspace(0.0, 1.0, parts + 1)[:, None]
    last = frequencies + 1.0
    angle = np.pi / last
    damping = ((last - orders) * np.cos(orders * angle) + np.sin(orders * angle) / np.tan(angle)) / last
    waves: Floats = np.sin(np.pi * orders * positions) * damping * 2.0 / (np.pi * orders)
    return waves


def _tail(coefficients: Floats) -> Floats:
    """P(W > x) at the parts of the support, (R, PARTS + 1), from Re E e^{iuW} at the frequencies, (R, F − 1)."""
    # a product of its own for each row, so that a row is the same alone and among others
    series = np.matmul(_sine_waves(FREQUENCIES, PARTS), coefficients[:, :, None])[:, :, 0]
    below = np.linspace(0.0, 1.0, PARTS + 1) + series
    clipped = np.clip(1.0 - below, 0.0, 1.0)
    clipped[:, 0], clipped[:, -1] = 1.0, 0.0
    tail: Floats = np.minimum.accumulate(clipped, axis=1)
    return tail


def _met_step(stream: PromptStream, base: Floats, weights: Floats, mean_step: Floats) -> tuple[Floats, Floats]:
    """First two moments of the step that an arrival meets, E T²/E T and E T³/E T, (R,) each."""
    k1, k2, k3 = (cumulant[:, None] * base for cumulant in _cumulants(stream))
    square = ((k2 + k1**2) * weights).sum(axis=1)
    cube = ((k3 + 3.0 * k2 * k1 + k1**3) * weights).sum(axis=1)
    return square / mean_step, cube / mean_step


def _wait_transform(
    frequency: Floats, stream: PromptStream, base: Floats, weights: Floats, mean_step: Floats
) -> Complexes:
    """E e^{θW} at the multiples of an angular frequency (R,), (R, F − 1), the base step usual or crowded."""
    theta = (1j * frequency[:, None] * np.arange(1, FREQUENCIES)).astype(np.complex128)
    first_generation = stream.company[:, None] * stream.offspring_of_harmonics(frequency, FREQUENCIES - 1)
    later = _generations(first_generation, stream)
    both = _generations(theta + first_generation, stream)
    mixed = np.zeros_like(theta)
    for column in range(base.shape[1]):
        h = base[:, column, None]
        mixed += weights[column] * (np.exp(h * both) - np.exp(h * later))
    transform: Complexes = mixed / (theta * mean_step[:, None]) * stream.mates(theta)
    return transform


def _generations(theta: Complexes, stream: PromptStream) -> Complexes:
    """S(θ) = θ + g(θ) + g(g(θ)) + …; from GENERATIONS on by the expansion of S in its small argument.

    S is the cumulant function of the recursion for h = 1: S(t) = κ₁t + κ₂t²/2 + κ₃t³/6 + …
    """
    term = theta
    total = np.zeros_like(theta)
    for _ in range(GENERATIONS):
        total += term
        term = stream.offspring(term)
    k1, k2, k3 = (cumulant[:, None] for cumulant in _cumulants(stream))
    total += term * (k1 + term * (k2 / 2.0 + term * (k3 / 6.0)))
    # |E e^{θT}| ≤ 1; near ρ = 1 the expansion alone would not know.
    bounded: Complexes = np.minimum(total.real, 0.0) + 1j * total.imag
    return bounded


def _cumulants(stream: PromptStream) -> tuple[Floats, Floats, Floats]:
    """First three cumulants of the step of the recursion for h = 1, (R,) each.

    κ₁ = 1/(1 − ρ), κ₂ = κ₁λE[Δ²]/(1 − ρ²), κ₃ = (κ₁λE[Δ³] + 3κ₂ρλE[Δ²])/(1 − ρ³), of batches Δ at their rate λ.
    """
    rho, second, third = stream.moments
    k1 = 1.0 / (1.0 - rho)
    k2 = k1 * second / (1.0 - rho**2)
    k3 = (k1 * third + 3.0 * k2 * rho * second) / (1.0 - rho**3)
    return k1, k2, k3
