"""Time between tokens: the law of TPOT, and of the time from the first to the last token, under open arrivals.

A request with o output tokens sees j = o − 1 steps after its first token. They are longer than the bare decode step by
the prompts of others (shot noise), by the requests that joined, and by what piled up behind its own prompt:

    E S = j·T + (T₀ − T)·ρ(1 − ρʲ)/(1 − ρ),   κₙ(S) = λ ∫₀ʷ E(a(u)Δ + b(u))ⁿ du + …,   w = j·T

Δ is what a prompt adds, a(u) = (1 − ρ^(u/T))/(1 − ρ) it with the prompts that arrive meanwhile, b(u) what one more
sequence adds over the rest u of the window; T₀ is the step that carries the own prompt. Sequences that were there
before the window add likewise, and so does a chunked prompt in progress. S follows a gamma law shifted to its first
three cumulants, per output and prompt bin, and never exceeds j steps that are full of prompt tokens.

Campbell's theorem gives the cumulants; with batches they are those of batches, and whoever comes in one has joined
with its mates. Where a router keeps arrivals apart, D < 1, λE X² becomes λ(E X² − (1 − D)(E X)²), and few come soon
after another: in the window, which opens when the own prompt is done, λ is times the `hazard` of `kept_apart.py`. How
far the law is from event simulation is tested in `tests/bench/test_percentiles.py`.

Rates are per pipeline, times seconds; R candidates, O output bins, J prompt bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.fluid import OperatingPoint, TrafficTables
from optimizer.traffic.gamma_tail import ShiftedGamma, shifted_gamma
from optimizer.traffic.kept_apart import followers, hazard
from optimizer.traffic.percentile import percentile
from optimizer.traffic.quadrature import GAUSS_NODES, GAUSS_WEIGHTS
from optimizer.traffic.step_tables import prefill_chunks
from optimizer.traffic.workload_bins import WorkloadBins
from requirements_specs.requirement import Statistic

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# Nearer to the highest rate the stay of a sequence, ∝ 1/(1 − pull), would be without end.
_LARGEST_PULL = 0.97
_TINY = 1e-30
# Of sums of shares.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class DecodingLaw:
    """The law of the time from the first to the last token of R candidates.

    steps (R or 1, O): tokens after the first. seconds (R, O, J): the law of their time where no chunked prompt is met.
    felt (R, O): how many other requests lengthen that time, on the average.
    chunks, chunked_step_s, in_progress (R, J): steps that carry a prompt, the length of one, and the probability that
    a window opens while one of several steps is being computed. decode_s, step_s, full_step_s (R,): a step that only
    decodes, the mean one, and one full of prompt tokens.
    """

    steps: Floats
    output_share: Floats
    prompt_share: Floats
    seconds: ShiftedGamma
    felt: Floats
    chunks: Floats
    chunked_step_s: Floats
    in_progress: Floats
    decode_s: Floats
    step_s: Floats
    full_step_s: Floats

    def tpot(self, statistic: Statistic) -> Floats:
        """A statistic of TPOT over the requests that have one, (R,) seconds.

        Only the median may be shorter than the mean step. The mean step, too, where no request has a second token.
        """
        probability = statistic.probability
        if probability is None:
            per_step = (self.seconds.mean * self.prompt_share).sum(axis=2) / self._counted
            found: Floats = (per_step * self._several).sum(axis=1)
        else:
            found = percentile(self.tpot_exceedance, probability, self.decode_s, self.full_step_s)
        if statistic is not Statistic.P50:
            found = np.maximum(found, self.step_s)
        return np.where(self._has_gaps, found, self.step_s)

    def tpot_holds(self, statistic: Statistic, limit_s: float) -> Bools:
        """Whether a statistic of TPOT is within a limit, (R,); percentiles by the share of requests beyond it."""
        probability = statistic.probability
        if probability is None:
            return self.tpot(statistic) <= limit_s
        held: Bools = self.tpot_exceedance(np.full(len(self.step_s), limit_s)) <= 1.0 - probability
        not_shorter = self.step_s <= limit_s
        if statistic is not Statistic.P50:
            held &= not_shorter
        return np.where(self._has_gaps, held, not_shorter)

    def duration(self, statistic: Statistic) -> Floats:
        """A statistic of the time from the first to the last token, (R,) seconds."""
        probability = statistic.probability
        if probability is None:
            mean: Floats = ((self.seconds.mean * self.prompt_share).sum(axis=2) * self.output_share).sum(axis=1)
            return mean
        # No step is shorter than one that only decodes, so that percentile of the steps times it is a lower bound.
        reached = np.cumsum(self.output_share) >= probability - _ROUNDING
        fewest = self.steps[:, int(np.argmax(reached))]
        most_s = self.full_step_s * self.steps.max(axis=1)
        return percentile(self.duration_exceedance, probability, self.decode_s * fewest, most_s)

    def tpot_exceedance(self, limit_s: Floats) -> Floats:
        """P(TPOT > limit), (R,), of limits (R,), over the requests with more than one token."""
        exceedance: Floats = (self._beyond(limit_s[:, None] * self.steps) * self._several).sum(axis=1)
        return exceedance

    def duration_exceedance(self, limit_s: Floats) -> Floats:
        """P(time from the first to the last token > limit), (R,), of limits (R,)."""
        beyond = self._beyond(np.broadcast_to(limit_s[:, None], self.seconds.mean.shape[:2]))
        exceedance: Floats = (beyond * self.output_share).sum(axis=1)
        return exceedance

    @property
    def _several(self) -> Floats:
        """Share of each output bin among the requests with more than one token, (R or 1, O)."""
        several = np.where(self.steps > 0.0, self.output_share, 0.0)
        total = several.sum(axis=1, keepdims=True)
        share: Floats = np.divide(several, total, out=np.zeros_like(several), where=total > 0.0)
        return share

    @property
    def _has_gaps(self) -> Bools:
        """Whether any request has a second token, (R or 1,)."""
        several: Bools = self._several.sum(axis=1) > 0.0
        return several

    @property
    def _counted(self) -> Floats:
        """Steps to divide by, (R or 1, O): 1 where there are none."""
        return np.where(self.steps > 0.0, self.steps, 1.0)

    def _beyond(self, seconds: Floats) -> Floats:
        """P(S > seconds), (R, O), per output bin."""
        tail = (self.seconds.tail(seconds[:, :, None]) * self.prompt_share).sum(axis=2)
        # Who feels nobody only decodes, and the chance to feel anybody is at most the mean number of them.
        tail = np.minimum(tail, self.felt)
        beyond = np.where(seconds < self.steps * self.decode_s[:, None], 1.0, tail)
        if self.in_progress.any():
            beyond = beyond + (1.0 - beyond) * self._caught(seconds)
        return np.where(seconds >= self.full_step_s[:, None] * self.steps, 0.0, beyond)

    def _caught(self, seconds: Floats) -> Floats:
        """Probability that a chunked prompt in progress takes the steps beyond so many seconds, (R, O).

        Of its m steps r are left, each number as likely; it matters if they suffice.
        """
        per_step = (seconds / self._counted)[:, :, None]
        room = np.maximum(self.chunked_step_s - self.step_s[:, None], _TINY)[:, None, :]
        needed = self._counted[:, :, None] * (per_step - self.step_s[:, None, None]) / room
        enough = np.clip(1.0 - needed / self.chunks[:, None, :], 0.0, 1.0)
        enough = np.where(per_step < self.chunked_step_s[:, None, :], enough, 0.0)
        caught: Floats = np.minimum((self.in_progress[:, None, :] * enough).sum(axis=2), 1.0)
        return caught


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
    prefilled_s = (point.hold_s * share).sum(axis=1)
    window = _window(point, bins, steps, moments, rho, prefilled_s)
    # Who comes in a batch joins with it; where arrivals keep apart, fewer of those there are run beside a request.
    there = np.where(point.dispersion < 1.0, np.minimum(point.sequences, 1.0), 1.0)
    mates = ((point.dispersion - 1.0) * there)[:, None]
    mates_s = np.maximum(mates, 0.0) * moments[0]

    # What piled up behind the own prompt goes first: the step that carried it was longer than others.
    met_step_s, met_variance = _met_step(step_s, rho, rate * moments[1][:, 0], rate * moments[2][:, 0])
    met_s = rho * met_step_s
    excess_s = np.maximum((decode_s + met_s - step_s)[:, None] + added_s + mates_s, 0.0)[:, None, :]
    follow = _geometric(rho[:, None], steps)[:, :, None]
    behind = followers(rate, point.dispersion, excess_s[:, 0, :])[:, None, :]
    piled = behind + (rate * met_step_s * rho**2)[:, None, None]
    usual_s = steps * step_s[:, None] - window.kept_apart_s + mates * window.joined_s / (1.0 - rho)[:, None]
    mean_s = np.maximum(usual_s, steps * decode_s[:, None])[:, :, None] + rho[:, None, None] * excess_s * follow
    variance = window.variance[:, :, None] + piled * moments[1][:, :, None] * follow**2
    variance = variance + (rho**4 * met_variance)[:, None, None] * follow**2
    third = window.third[:, :, None] + piled * moments[2][:, :, None] * follow**3
    return DecodingLaw(
        steps=steps,
        output_share=bins.output_share,
        prompt_share=share,
        seconds=shifted_gamma(mean_s, variance, third),
        felt=_felt(point, steps * step_s[:, None], share),
        chunks=chunks,
        chunked_step_s=point.hold_s / chunks,
        in_progress=_in_progress(point, chunks, share),
        decode_s=decode_s,
        step_s=step_s,
        full_step_s=np.maximum(decode_s + _full_of_prompts(tables, bins, token_budget), step_s),
    )


def _in_progress(point: OperatingPoint, chunks: Floats, share: Floats) -> Floats:
    """Probability that a window opens while a prompt of several chunks is being computed, (R, J), that came behind."""
    chunked = chunks > 1.0
    if not chunked.any():
        return np.zeros_like(chunks)
    return np.where(chunked, share * followers(point.rate_per_s, point.dispersion, point.hold_s), 0.0)


def _felt(point: OperatingPoint, window_s: Floats, share: Floats) -> Floats:
    """Mean number of requests that run, are being prefilled, come in the own batch or during the window, (R, O)."""
    prefilled_s = (point.hold_s * share).sum(axis=1)
    there = point.sequences + point.rate_per_s * prefilled_s + np.maximum(point.dispersion - 1.0, 0.0)
    felt: Floats = there[:, None] + point.rate_per_s[:, None] * window_s
    return felt


def _added(point: OperatingPoint, chunks: Floats, share: Floats) -> tuple[Floats, Floats]:
    """What each prompt adds to the steps that carry it, (R, J), scaled to the mean step; and its load ρ, (R,)."""
    alone_s = np.maximum(point.hold_s - chunks * point.decode_s[:, None], 0.0)
    rho = np.clip(1.0 - point.decode_s / point.step_s, 0.0, 1.0 - 1e-9)
    load = point.rate_per_s * (alone_s * share).sum(axis=1)
    scale = np.divide(rho, load, out=np.zeros_like(rho), where=load > 0.0)
    return alone_s * scale[:, None], rho


def _met_step(step_s: Floats, rho: Floats, second: Floats, third: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the step that an arrival meets, (R,) each; of steps κ, κ₁ + κ₂/κ₁ and κ₂ + κ₃/κ₁ − κ₂²/κ₁².

    second, third (R,): λE[Δ²] and λE[Δ³]; κ as in `tails.py`.
    """
    k2 = step_s * second / np.maximum(1.0 - rho**2, 1e-9)
    k3 = (step_s * third + 3.0 * k2 * rho * second) / np.maximum(1.0 - rho**3, 1e-9)
    return step_s + k2 / step_s, np.maximum(k2 + k3 / step_s - (k2 / step_s) ** 2, 0.0)


@dataclass(frozen=True)
class _Window:
    """Steps while others arrive, (R, O) each.

    variance, third: cumulants of their time. joined_s: what one more sequence adds to it. kept_apart_s: what prompts
    would add on the average that a router keeps from coming so soon.
    """

    variance: Floats
    third: Floats
    joined_s: Floats
    kept_apart_s: Floats


def _window(
    point: OperatingPoint,
    bins: WorkloadBins,
    steps: Floats,
    moments: tuple[Floats, ...],
    rho: Floats,
    prefilled_s: Floats,
) -> _Window:
    """The window of `steps` (R, O) that opens when the own prompt is done, by four Gauss points."""
    first, second, third = moments
    rate, step_s, window_s = point.rate_per_s[:, None], point.step_s[:, None], steps * point.step_s[:, None]
    more, fewer = (np.maximum(sign * (point.dispersion - 1.0), 0.0)[:, None] for sign in (1.0, -1.0))
    # How far one more sequence is felt: it lengthens the step, and thereby the stay of all.
    pull = np.minimum(point.load, _LARGEST_PULL)[:, None]
    stay_s = np.maximum(bins.mean_output, bins.mean_generated)[:, None] * step_s / (1.0 - pull)
    slope_s = pull * stay_s / point.sequences[:, None]

    def joined(rest_s: Floats) -> Floats:
        felt: Floats = slope_s * -np.expm1(-rest_s / stay_s)
        return felt

    def moved(a: Floats, b: Floats) -> tuple[Floats, Floats]:
        """Second and third moment of what an arrival, or its whole batch, adds to the time."""
        mean = a * first + b
        square = a**2 * second + 2.0 * a * b * first + 2.0 * b**2
        cube = a**3 * third + 3.0 * a**2 * b * second + 3.0 * a * b**2 * first + b**3
        left = 1.0 - np.divide(fewer * mean**2, square, out=np.zeros_like(square), where=square > 0.0)
        return (
            square * left + more * mean**2,
            cube * left**2 + 3.0 * more * mean * square + 1.5 * more**2 * mean**3,
        )

    variance, skew, kept = np.zeros_like(window_s), np.zeros_like(window_s), np.zeros_like(window_s)
    for node, weight in zip(GAUSS_NODES, GAUSS_WEIGHTS, strict=True):
        rest_s = window_s * (node + 1.0) / 2.0
        b = joined(rest_s)
        alone = _geometric(rho[:, None], rest_s / step_s)
        a = alone + rate * b / (1.0 - rho)[:, None]
        soon = hazard(point.rate_per_s, point.dispersion, window_s - rest_s + prefilled_s[:, None])
        part = rate * weight * window_s / 2.0
        kept += part * (1.0 - soon) * alone * first
        part = part * soon
        square, cube = moved(a, b)
        variance += part * square
        skew += part * cube
    b = joined(window_s)
    square, cube = moved(rate * b / (1.0 - rho)[:, None], b)
    variance += rate * stay_s / 2.0 * square
    skew += rate * stay_s / 3.0 * cube
    return _Window(variance, skew, b, kept)


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
