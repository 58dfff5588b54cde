"""Time between tokens: the law of TPOT, and of the time from the first to the last token, under Poisson arrivals.

A request with o output tokens sees j = o − 1 steps after its first token. They are longer than the bare decode step by
the prompts of others (shot noise), by the requests that joined, and by what piled up behind its own prompt:

    E S = j·T + (T₀ − T)·ρ(1 − ρʲ)/(1 − ρ),   κₙ(S) = λ ∫₀ʷ E(a(u)Δ + b(u))ⁿ du + …,   w = j·T

Δ is what a prompt adds, a(u) = (1 − ρ^(u/T))/(1 − ρ) it with the prompts that arrive meanwhile, b(u) what one more
sequence adds over the rest u of the window; T₀ is the step that carries the own prompt. Sequences that were there
before the window add likewise, and so does a chunked prompt in progress. S follows a gamma law shifted to its first
three cumulants, per output and prompt bin, and never exceeds j steps that are full of prompt tokens.

Campbell's theorem gives the cumulants; the tail is Wilson and Hilferty's (1931). How far it is from event simulation
is tested in `tests/bench/test_percentiles.py`.

Rates are per pipeline, times seconds; R candidates, O output bins, J prompt bins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.fluid import OperatingPoint, TrafficTables
from optimizer.traffic.step_tables import prefill_chunks
from optimizer.traffic.workload_bins import WorkloadBins

Floats = NDArray[np.float64]

# A longer window makes a longer window: more arrivals fall into it. The share of Var²/mean that this adds to the third
# cumulant. Of 1, 1.5 and 2 the one with the smallest worst error of p99; it was chosen, like the form of the fullest
# step and of prompts in progress, with all five traces of `tests/bench/test_percentiles.py` in view: it is in-sample.
_SELF_EXCITATION = 1.0
_LARGEST_PULL = 0.97
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
_PERCENTILE_BISECTIONS = 40
_TINY = 1e-30
# Relative to the mean: a law without chance, and one that is symmetric or too rare to matter, by what can be computed.
_LEAST_DEVIATION = 1e-6
_SKEWNESS = (1e-3, 1e3)
_SERIES_AT_ZERO = 0.319381530 - 0.356563782 + 1.781477937 - 1.821255978 + 1.330274429


@dataclass(frozen=True)
class DecodingLaw:
    """The law of the time from the first to the last token of R candidates.

    steps (R or 1, O): tokens after the first. mean_s, variance, third (R, O, J): cumulants of their time.
    chunks, chunked_step_s, in_progress (R, J): steps that carry a prompt, the length of one, and the probability that
    a window opens while one of several steps is being computed. decode_s, step_s, full_step_s (R,): a step that only
    decodes, the mean one, and one full of prompt tokens.
    """

    steps: Floats
    output_share: Floats
    prompt_share: Floats
    mean_s: Floats
    variance: Floats
    third: Floats
    chunks: Floats
    chunked_step_s: Floats
    in_progress: Floats
    decode_s: Floats
    step_s: Floats
    full_step_s: Floats

    @property
    def has_gaps(self) -> NDArray[np.bool_]:
        """Whether any request has a second token, (R or 1,)."""
        several: NDArray[np.bool_] = self._several.sum(axis=1) > 0.0
        return several

    @property
    def mean_tpot_s(self) -> Floats:
        """Mean of TPOT over the requests that have one, (R,) seconds; no shorter than the mean step."""
        per_step = (self.mean_s * self.prompt_share).sum(axis=2) / np.where(self.steps > 0.0, self.steps, 1.0)
        mean: Floats = (per_step * self._several).sum(axis=1)
        return np.maximum(mean, self.step_s)

    @property
    def mean_duration_s(self) -> Floats:
        """Mean time from the first to the last token, (R,) seconds."""
        mean: Floats = ((self.mean_s * self.prompt_share).sum(axis=2) * self.output_share).sum(axis=1)
        return mean

    def tpot_exceedance(self, limit_s: Floats) -> Floats:
        """P(TPOT > limit), (R,), of limits (R,), over the requests with more than one token."""
        exceedance: Floats = (self._beyond(limit_s[:, None] * self.steps) * self._several).sum(axis=1)
        return exceedance

    def duration_exceedance(self, limit_s: Floats) -> Floats:
        """P(time from the first to the last token > limit), (R,), of limits (R,)."""
        beyond = self._beyond(np.broadcast_to(limit_s[:, None], self.mean_s.shape[:2]))
        exceedance: Floats = (beyond * self.output_share).sum(axis=1)
        return exceedance

    def tpot_percentile(self, probability: float) -> Floats:
        """Smallest TPOT that at most 1 − probability of the requests exceed, (R,) seconds."""
        return self._percentile(self.tpot_exceedance, probability, self.full_step_s)

    def duration_percentile(self, probability: float) -> Floats:
        """Smallest time from the first to the last token that at most 1 − probability exceed, (R,) seconds."""
        return self._percentile(self.duration_exceedance, probability, self.full_step_s * self.steps.max(axis=1))

    def _percentile(self, exceedance: Callable[[Floats], Floats], probability: float, most_s: Floats) -> Floats:
        lower, upper = np.zeros(len(most_s)), most_s
        for _ in range(_PERCENTILE_BISECTIONS):
            middle = (lower + upper) / 2.0
            met = exceedance(middle) <= 1.0 - probability
            upper = np.where(met, middle, upper)
            lower = np.where(met, lower, middle)
        return upper

    @property
    def _several(self) -> Floats:
        """Share of each output bin among the requests with more than one token, (R or 1, O)."""
        several = np.where(self.steps > 0.0, self.output_share, 0.0)
        total = several.sum(axis=1, keepdims=True)
        share: Floats = np.divide(several, total, out=np.zeros_like(several), where=total > 0.0)
        return share

    def _beyond(self, seconds: Floats) -> Floats:
        """P(S > seconds), (R, O), per output bin."""
        tail = _shifted_gamma_tail(seconds[:, :, None], self.mean_s, self.variance, self.third)
        shortest = self.steps * self.decode_s[:, None]
        base = np.where(seconds < shortest, 1.0, (tail * self.prompt_share).sum(axis=2))
        # Of the m steps of a prompt in progress r are left, each as likely; it matters if they suffice.
        counted = np.where(self.steps > 0.0, self.steps, 1.0)
        per_step = seconds / counted
        room = np.maximum(self.chunked_step_s - self.step_s[:, None], _TINY)[:, None, :]
        needed = counted[:, :, None] * (per_step[:, :, None] - self.step_s[:, None, None]) / room
        enough = np.clip(1.0 - needed / self.chunks[:, None, :], 0.0, 1.0)
        enough = np.where(per_step[:, :, None] < self.chunked_step_s[:, None, :], enough, 0.0)
        caught = np.minimum((self.in_progress[:, None, :] * enough).sum(axis=2), 1.0)
        beyond: Floats = np.where(seconds >= self.full_step_s[:, None] * self.steps, 0.0, base + (1.0 - base) * caught)
        return beyond


def decoding_law(point: OperatingPoint, tables: TrafficTables, bins: WorkloadBins, token_budget: Floats) -> DecodingLaw:
    """Law of the time between tokens at operating points in a steady state.

    Args:
        point: R operating points.
        tables: of the same R candidates.
        bins: the workload, R rows or one for all.
        token_budget: max_num_batched_tokens, (R,).

    """
    share, rate, step_s, decode_s = bins.prompt_share, point.rate_per_s, point.step_s, point.decode_s
    chunks = prefill_chunks(bins, token_budget, point.sequences[:, None])[:, 0, :]
    added_s, rho = _added(point, chunks, share)
    moments = tuple((added_s**power * share).sum(axis=1)[:, None] for power in (1, 2, 3))
    steps = np.maximum(bins.output_tokens - 1.0, 0.0)
    variance, third = _window_cumulants(point, bins, steps, moments, rho)

    # What piled up behind the own prompt goes first: the step that carried it was longer than others.
    met_s = rho * (step_s + rate * moments[1][:, 0] / np.maximum(1.0 - rho**2, 1e-9))
    excess_s = np.maximum((decode_s + met_s - step_s)[:, None] + added_s, 0.0)[:, None, :]
    follow = _geometric(rho[:, None], steps)[:, :, None]
    piled = rate[:, None, None] * excess_s
    mean_s = (steps * step_s[:, None])[:, :, None] + rho[:, None, None] * excess_s * follow
    spread = variance[:, :, None] + piled * moments[1][:, :, None] * follow**2
    variance = np.maximum(spread, (_LEAST_DEVIATION * np.maximum(mean_s, _TINY)) ** 2)
    third = third[:, :, None] + piled * moments[2][:, :, None] * follow**3
    third = third + _SELF_EXCITATION * variance**2 / np.maximum(mean_s, _TINY)
    busy = rate[:, None] * share * point.hold_s / np.maximum(1.0 - rho, 1e-9)[:, None]
    return DecodingLaw(
        steps=steps,
        output_share=bins.output_share,
        prompt_share=share,
        mean_s=mean_s,
        variance=variance,
        third=third,
        chunks=chunks,
        chunked_step_s=point.hold_s / chunks,
        in_progress=np.where(chunks > 1.0, busy, 0.0),
        decode_s=decode_s,
        step_s=step_s,
        full_step_s=np.maximum(decode_s + _full_of_prompts(tables, bins, token_budget), step_s),
    )


def _added(point: OperatingPoint, chunks: Floats, share: Floats) -> tuple[Floats, Floats]:
    """What each prompt adds to the steps that carry it, (R, J), scaled to the mean step; and its load ρ, (R,)."""
    alone_s = np.maximum(point.hold_s - chunks * point.decode_s[:, None], 0.0)
    rho = np.clip(1.0 - point.decode_s / point.step_s, 0.0, 1.0 - 1e-9)
    load = point.rate_per_s * (alone_s * share).sum(axis=1)
    scale = np.divide(rho, load, out=np.zeros_like(rho), where=load > 0.0)
    return alone_s * scale[:, None], rho


def _window_cumulants(
    point: OperatingPoint, bins: WorkloadBins, steps: Floats, moments: tuple[Floats, ...], rho: Floats
) -> tuple[Floats, Floats]:
    """Second and third cumulant of the time of `steps`, (R, O) each, by four Gauss points over the window."""
    first, second, third = moments
    rate, step_s, window_s = point.rate_per_s[:, None], point.step_s[:, None], steps * point.step_s[:, None]
    # How far one more sequence is felt: it lengthens the step, and thereby the stay of all.
    pull = np.minimum(point.load, _LARGEST_PULL)[:, None]
    stay_s = np.maximum(bins.mean_output, bins.mean_generated)[:, None] * step_s / (1.0 - pull)
    slope_s = pull * stay_s / point.sequences[:, None]

    def joined(rest_s: Floats) -> Floats:
        felt: Floats = slope_s * -np.expm1(-rest_s / stay_s)
        return felt

    variance, skew = np.zeros_like(window_s), np.zeros_like(window_s)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        rest_s = window_s * (node + 1.0) / 2.0
        b = joined(rest_s)
        a = _geometric(rho[:, None], rest_s / step_s) + rate * b / (1.0 - rho)[:, None]
        part = rate * weight * window_s / 2.0
        variance += part * (a**2 * second + 2.0 * a * b * first + 2.0 * b**2)
        skew += part * (a**3 * third + 3.0 * a**2 * b * second + 3.0 * a * b**2 * first + b**3)
    b = joined(window_s)
    a = rate * b / (1.0 - rho)[:, None]
    variance += rate * stay_s / 2.0 * (2.0 * b**2 + 2.0 * a * b * first + a**2 * second)
    skew += rate * stay_s / 3.0 * (b**3 + 3.0 * a * b**2 * first + 3.0 * a**2 * b * second + a**3 * third)
    return variance, skew


def _geometric(rho: Floats, terms: Floats) -> Floats:
    """1 + ρ + … of so many terms, (1 − ρⁿ)/(1 − ρ)."""
    total: Floats = -np.expm1(np.log(np.maximum(rho, _TINY)) * terms) / (1.0 - rho)
    return total


def _full_of_prompts(tables: TrafficTables, bins: WorkloadBins, token_budget: Floats) -> Floats:
    """What a budget full of prompt tokens adds to a step, (R,): usual prompts, or those that alone fill it if longer.

    Of the latter the mean over the time that they are computed.
    """
    share, new_tokens, added_s = bins.prompt_share, bins.new_tokens, tables.added_s
    usual = (added_s * share).sum(axis=1) / (new_tokens * share).sum(axis=1)
    filling = added_s * np.where(new_tokens >= token_budget[:, None], share, 0.0)
    time = filling.sum(axis=1)
    longest = np.divide((filling * added_s / new_tokens).sum(axis=1), time, out=np.zeros_like(time), where=time > 0.0)
    full: Floats = token_budget * np.maximum(usual, longest)
    return full


def _shifted_gamma_tail(seconds: Floats, mean_s: Floats, variance: Floats, third: Floats) -> Floats:
    """P(S > seconds) of the gamma law with these cumulants, after Wilson and Hilferty."""
    deviation = np.sqrt(variance)
    shape = (2.0 / np.clip(third / deviation**3, *_SKEWNESS)) ** 2
    place = np.maximum(1.0 + (seconds - mean_s) / (deviation * np.sqrt(shape)), 0.0)
    normal = 3.0 * np.sqrt(shape) * (np.cbrt(place) - 1.0 + 1.0 / (9.0 * shape))
    return np.where(place > 0.0, _normal_tail(normal), 1.0)


def _normal_tail(z: Floats) -> Floats:
    """P(Z > z) of a standard normal law, within 7.5·10⁻⁸ (Abramowitz and Stegun, 26.2.17)."""
    distance = np.abs(z)
    t = 1.0 / (1.0 + 0.2316419 * distance)
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    # The series is 1.2533… at 0; scaled by its own value there, the tail is one half and has no step.
    tail = np.exp(-0.5 * np.minimum(distance, 38.0) ** 2) * series / (2.0 * _SERIES_AT_ZERO)
    either: Floats = np.where(z >= 0.0, tail, 1.0 - tail)
    return either
