"""Candidates with the step-time tables that the traffic laws read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from optimizer.arithmetic.step_times import StepTimes
from optimizer.evaluate.spread import StepSpread
from optimizer.traffic.step_tables import SEQUENCES, KeyTables, key_tables, prefill_holds
from optimizer.traffic.workload_bins import WorkloadBins

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]

# Share of the KV cache that one standard deviation of the step time's error takes with it (DESIGN rule 8).
KV_SHARE_PER_DEVIATION = 0.05


@dataclass(frozen=True)
class Physics:
    """K physics keys beside one workload: everything that neither the rate nor the engine limits change.

    spread: how far the steps of each key may lie from the tabulated ones. holds: prefill tables that were asked for
    before, by key and largest useful token budget; a memo, never part of a result.
    """

    step_times: StepTimes
    bins: WorkloadBins
    tables: KeyTables
    spread: StepSpread
    holds: dict[tuple[int, float], Floats] = field(default_factory=dict, repr=False, compare=False)

    def slowdown(self, keys: Integers, deviations: float) -> Floats:
        """Factor on the step times of the given keys in a scenario, (R,)."""
        return self.spread.factor(deviations)[keys]

    def kv_tokens_per_pipeline(self, keys: Integers, deviations: float) -> Floats:
        """KV cache of one pipeline in a scenario, tokens, (R,)."""
        usable = self.step_times.kv_capacity_tokens[keys] / self.step_times.pp[keys]
        return usable * (1.0 - KV_SHARE_PER_DEVIATION * deviations)


def prepare(step_times: StepTimes, bins: WorkloadBins, spread: StepSpread) -> Physics:
    """Tabulate the steps of all keys."""
    return Physics(step_times, bins, key_tables(step_times, bins), spread)


@dataclass(frozen=True)
class Candidates:
    """R rows (physics key, token budget, max_num_seqs) with their prefill tables.

    hold_s (R, G, J): steps that carry a prompt, before any scenario.
    """

    physics: Physics
    keys: Integers
    token_budget: Floats
    max_num_seqs: Floats
    hold_s: Floats

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.keys)

    def take(self, rows: Integers | Bools) -> Candidates:
        """The given rows."""
        return Candidates(
            self.physics, self.keys[rows], self.token_budget[rows], self.max_num_seqs[rows], self.hold_s[rows]
        )


def engine_prefill(step_times: StepTimes, prefill_s: Floats) -> Floats:
    """What a prefill takes in the engine, (R, …) seconds: a multiple of its steps and a fixed time per prompt."""
    wide = (-1,) + (1,) * (prefill_s.ndim - 1)
    return step_times.prefill_factor.reshape(wide) * prefill_s + step_times.prefill_event_s.reshape(wide)


def useful_budget(bins: WorkloadBins, token_budget: Floats) -> Floats:
    """The part of a token budget that changes a step: beyond it every prompt goes in one chunk, (R,)."""
    useful: Floats = np.minimum(token_budget, bins.new_tokens.max() + SEQUENCES[-1])
    return useful


def tabulate(physics: Physics, keys: Integers, token_budget: Floats, max_num_seqs: Floats) -> Candidates:
    """Candidates with the prefill tables that their token budgets ask for."""
    wanted = list(zip(keys.tolist(), useful_budget(physics.bins, token_budget).tolist(), strict=True))
    missing = sorted(set(wanted) - physics.holds.keys())
    if missing:
        missing_keys = np.array([key for key, _ in missing], dtype=np.int64)
        missing_budget = np.array([budget for _, budget in missing])
        step_times = physics.step_times.take(missing_keys)
        tables = engine_prefill(step_times, prefill_holds(step_times, physics.bins, missing_budget))
        physics.holds.update(zip(missing, tables, strict=True))
    hold_s = np.stack([physics.holds[row] for row in wanted])
    return Candidates(physics, keys, token_budget, max_num_seqs, hold_s)
