"""The design that was chosen, and copies of it that differ in one mechanism, put to the same evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from catalog.models import Model
from catalog.read import Snapshot
from optimizer.answers import Answer
from optimizer.arithmetic.arrays import Floats, Integers
from optimizer.arithmetic.replica_rows import ReplicaRow
from optimizer.arithmetic.replicas import Replicas
from optimizer.confidence import replicas_of
from optimizer.evaluate import Candidates, Laws, Physics, Question, State, highest_rate, mean_state, tabulate
from optimizer.mechanisms.effect import Figures, Resolved
from optimizer.question import Nothing, Problem, physics_of, pose
from optimizer.search.columns import Column
from optimizer.search.refine import refine
from optimizer.topology.format_choices import FormatChoice
from optimizer.topology.layouts import MAX_NUM_SEQS, ParallelLayout
from optimizer.traffic.workload_bins import WorkloadBins
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import ServingSpec


@dataclass(frozen=True)
class Chosen:
    """The design of an answer, with what it takes to change it."""

    spec: ServingSpec
    snapshot: Snapshot
    problem: Problem
    column: Column

    @staticmethod
    def of(spec: ServingSpec, found: Answer, snapshot: Snapshot) -> Chosen:
        """The design of an answer to the specification."""
        return Chosen(spec, snapshot, found.problem, found.design)

    @property
    def model(self) -> Model:
        """What is served."""
        return self.snapshot.models[self.spec.model]

    @property
    def row(self) -> ReplicaRow:
        """One replica."""
        return self.problem.space.keys[self.column.key]

    @property
    def layout(self) -> ParallelLayout:
        """How one replica is split."""
        return self.problem.space.layouts[self.column.key]

    @property
    def formats(self) -> FormatChoice:
        """The formats of a replica."""
        return self.problem.space.formats[self.column.key]

    @property
    def bins(self) -> WorkloadBins:
        """The workload."""
        return self.problem.physics.bins

    @property
    def working_replicas(self) -> int:
        """Replicas less spares."""
        return self.column.replicas - self.problem.demand.spare_replicas

    @property
    def rate_per_s(self) -> float:
        """Arrivals at one working replica."""
        return self.problem.demand.rate_per_s / self.working_replicas

    @property
    def replicas(self) -> Replicas:
        """Step times of one replica, (1,)."""
        return replicas_of(self.model, [self.row], self.snapshot)

    @cached_property
    def physics(self) -> Physics:
        """Of the design alone, (1,)."""
        return self.physics_of([self.row])

    @cached_property
    def now(self) -> Figures:
        """Of the design as it is."""
        return self.figures(self.candidates(self.physics))[0]

    def physics_of(self, rows: Sequence[ReplicaRow], bins: WorkloadBins | None = None) -> Physics:
        """Of other replicas, or under another workload."""
        return physics_of(self.model, rows, self.bins if bins is None else bins, self.snapshot)

    def candidates(self, physics: Physics, token_budgets: Floats | None = None) -> Candidates:
        """Every key of the physics with the design's token budget, or one key with several; slots are no limit."""
        if token_budgets is None:
            keys: Integers = np.arange(physics.step_times.count)
            token_budgets = np.full(len(keys), float(self.column.token_budget))
        else:
            keys = np.zeros(len(token_budgets), dtype=np.int64)
        return tabulate(physics, keys, token_budgets, np.full(len(keys), MAX_NUM_SEQS[-1]))

    def state(self, candidates: Candidates) -> State:
        """The point prediction at the rate that is asked."""
        question = replace(self.problem.question, deviations=0.0)
        return mean_state(candidates, np.full(len(candidates), self.rate_per_s), question)

    def figures(self, candidates: Candidates, tokens_per_step: float = 1.0) -> tuple[Figures, ...]:
        """Figures of the whole design as each candidate, whose outputs are counted in steps of so many tokens."""
        highest = self._highest_rates(candidates, _in_steps(self.problem.question, tokens_per_step))
        state = self.state(candidates)
        steady = np.flatnonzero(state.steady & (state.kv_tokens_needed <= state.kv_tokens))
        ttft_s: list[float | None] = [None] * len(candidates)
        tpot_s = list(ttft_s)
        if len(steady):
            laws = Laws(candidates.take(steady), state.take(steady))
            for row, first, each in zip(
                steady.tolist(),
                laws.statistic(Metric.TTFT, Statistic.P99).tolist(),
                laws.statistic(Metric.TPOT, Statistic.P99).tolist(),
                strict=True,
            ):
                ttft_s[row], tpot_s[row] = first, each / tokens_per_step
        return tuple(
            Figures(float(rate) * self.working_replicas, first, each)
            for rate, first, each in zip(highest, ttft_s, tpot_s, strict=True)
        )

    def _highest_rates(self, candidates: Candidates, question: Question) -> Floats:
        """Of one replica; first above the rate that is asked, where it is as fine as that of the report."""
        question = question.among(float(self.working_replicas))
        rates = highest_rate(candidates, question, self.rate_per_s)
        missed = np.flatnonzero(rates == 0.0)
        if len(missed):
            rates[missed] = highest_rate(candidates.take(missed), question)
        return rates

    def resolved(self, key: str, value: str, changed: ServingSpec) -> Resolved | None:
        """The changed specification solved again by the laws; None unless cost is the objective."""
        if self.problem.aim is not None:
            return None
        problem = pose(changed, self.snapshot)
        if isinstance(problem, Nothing):
            return Resolved(key, value, None)
        found = refine(problem.space, problem.physics, problem.question, problem.demand, 1)
        return Resolved(key, value, found.threshold_usd_micro)


def _in_steps(question: Question, tokens_per_step: float) -> Question:
    """The question where each step yields so many tokens: the limits of TPOT are of a step's time."""
    limits = tuple(
        limit.model_copy(update={"limit_s": limit.limit_s * tokens_per_step}) if limit.metric is Metric.TPOT else limit
        for limit in question.limits
    )
    return replace(question, limits=limits)
