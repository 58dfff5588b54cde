"""Whether simulated requests accept a design: each limit against the upper end of its 95 % interval.

The design is simulated in the scenario of the risk, the same random numbers for every design. Requests come in stages,
each three times the last. After a stage every limit that holds to the upper end of its interval accepts the design,
after the first only if it is clear by a tenth, for near its capacity neighbours in time are so alike that few requests
look surer than they are; a limit whose whole interval is beyond it refuses it, and from the second stage on so does a
value beyond it. What is still undecided after the last stage is refused. So noise alone refuses nothing that more
requests would accept.

A trace is put to the design as it came, its busiest window sped up to the peak. Nothing of that is drawn, so its own
statistics decide, and there is one stage.

Engine slots are no resource: where all of a pipeline's were ever taken and the stage did not accept, it is run again
with the next larger number. A refusal therefore speaks of every number of slots.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from math import ceil

from optimizer.answers import HeldLimit, Judgement
from optimizer.evaluate import mean_state, statistics_of
from optimizer.question import Problem
from optimizer.search.columns import Column, candidates_of, rate_of
from optimizer.topology.layouts import MAX_NUM_SEQS
from optimizer.traffic.simulate import Plan, Router, Sample, Stream, estimate, replay, run
from optimizer.verification.fleet import design_fleet, trace_fleet
from optimizer.verification.recorded import recorded_window
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.workload import Workload

SEEDS = (1, 2, 3)
# Requests that are counted of each seed, and no fewer than this share of them at each pipeline: near its capacity one
# takes hundreds of requests to forget that it began empty, and what is not yet as full as it gets looks safe.
STAGES = (3_000, 9_000, 27_000)
EACH_PIPELINE = 1 / 3
# Of a limit, that the upper end of an interval keeps to after the first stage.
CLEAR_SHARE = 0.9
# Every seed is loaded for as many mean E2E times, or by this share of the counted requests, before and after them.
MARGIN_STAYS = 3.0
MARGIN_SHARE = 0.1
# Of a larger fleet so many pipelines are simulated, at the same rate each, with as much less of the dispersion. In turn
# each gets every R-th arrival, so of Poisson streams fewer see the burstier arrivals: what these accept, all do.
MOST_PIPELINES = 8


@dataclass(frozen=True)
class _Run:
    """What was counted, of how many requests of which seeds, on how many pipelines and at which rate.

    recorded: of a trace, which has no seeds.
    """

    sample: Sample
    seeds: tuple[int, ...]
    requests: int
    pipelines: int
    rate_per_s: float
    recorded: bool


class Judge:
    """Judges designs of one problem; as many of the same replicas are simulated once, whatever they are rented on."""

    def __init__(self, problem: Problem, workload: Workload) -> None:
        self._problem = problem
        self._workload = workload
        trace = workload.trace
        self._window = None if trace is None else recorded_window(workload, trace)
        self._known: dict[tuple[int, int, int, int], Judgement] = {}

    def __call__(self, design: Column) -> Judgement:
        """The verdict on a design; an accepted one may have got more engine slots."""
        same = (design.key, design.token_budget, design.max_num_seqs, design.replicas)
        if same not in self._known:
            self._known[same] = self._simulated(design)
        known = self._known[same]
        return replace(known, column=replace(design, max_num_seqs=known.column.max_num_seqs))

    def at_rate(self, rate_per_s: float) -> Judge:
        """The judge of the same problem at another rate; a trace is not read again."""
        other = copy(self)
        other._problem, other._known = self._problem.carrying(rate_per_s), {}
        return other

    def _simulated(self, design: Column) -> Judgement:
        predicted_s, e2e_s = self._predicted(design)
        for stage, requests in enumerate(STAGES):
            while True:
                ran = self._run(design, requests, e2e_s)
                held = tuple(
                    HeldLimit(limit, value_s, estimate(ran.sample.of(limit.metric), limit.statistic.probability))
                    for limit, value_s in zip(self._problem.question.limits, predicted_s, strict=True)
                )
                accepted = all(_is_within(each, stage, recorded=ran.recorded) for each in held)
                more = MAX_NUM_SEQS[design.max_num_seqs < MAX_NUM_SEQS]
                useful = design.max_num_seqs < design.token_budget and len(more)
                if accepted or not ran.sample.slots_filled or not useful:
                    break
                design = replace(design, max_num_seqs=int(more[0]))
            if accepted or ran.recorded or any(_is_beyond(each, stage) for each in held):
                break
        return Judgement(
            column=design,
            accepted=accepted,
            seeds=ran.seeds,
            requests=ran.requests,
            pipelines=ran.pipelines,
            rate_per_s=ran.rate_per_s,
            limits=held,
            unfinished_share=ran.sample.unfinished / ran.sample.e2e_s.size,
            preemptions=ran.sample.preemptions,
        )

    def _predicted(self, design: Column) -> tuple[list[float], float]:
        """What the laws say of each limit, and the mean E2E time, in the scenario of the risk."""
        question = self._problem.question
        mean_e2e = LatencyLimit(metric=Metric.E2E, statistic=Statistic.MEAN, limit_s=1.0)
        candidate = candidates_of(self._problem.physics, design)
        state = mean_state(candidate, rate_of(self._problem.demand, design), question)
        *limits, e2e_s = statistics_of(candidate, state, (*question.limits, mean_e2e))[0].tolist()
        return limits, e2e_s

    def _run(self, design: Column, requests: int, e2e_s: float) -> _Run:
        """The requests of the trace, or as many as are to be counted of each seed."""
        stream = None
        if self._window is not None:
            stream = self._window.stream(self._problem.demand.rate_per_s, MARGIN_STAYS * e2e_s)
        return self._drawn(design, requests, e2e_s) if stream is None else self._recorded(design, stream)

    def _recorded(self, design: Column, stream: Stream) -> _Run:
        physics, deviations = self._problem.physics, self._problem.question.deviations
        longest = int(stream.requests.prompt_tokens.max())
        fleet = trace_fleet(self._problem, design, deviations, Router.ROUND_ROBIN, physics.bins, longest)
        sample = replay(fleet, stream)
        return _Run(sample, (), sample.e2e_s.size, fleet.pipelines, self._problem.demand.rate_per_s, recorded=True)

    def _drawn(self, design: Column, requests: int, e2e_s: float) -> _Run:
        question, rate = self._problem.question, self._problem.demand.rate_per_s
        fleet = design_fleet(self._problem, design, question.deviations, Router.ROUND_ROBIN)
        pipelines = min(fleet.pipelines, MOST_PIPELINES)
        share = pipelines / fleet.pipelines
        rate *= share
        requests = ceil(requests * max(1.0, EACH_PIPELINE * pipelines))
        margin = ceil(max(MARGIN_SHARE * requests, MARGIN_STAYS * rate * e2e_s))
        plan = Plan(SEEDS, requests, margin, max(share * self._workload.index_of_dispersion, 1.0))
        sample = run(replace(fleet, pipelines=pipelines), self._workload, rate, plan)
        return _Run(sample, SEEDS, requests, pipelines, rate, recorded=False)


def _is_within(held: HeldLimit, stage: int, *, recorded: bool) -> bool:
    """Whether a limit accepts a design after a stage, which is counted from 0; the statistics of a trace are exact."""
    simulated, limit_s = held.simulated, held.limit.limit_s
    if recorded:
        return simulated.value <= limit_s
    return simulated.high <= limit_s * (CLEAR_SHARE if stage == 0 else 1.0)


def _is_beyond(held: HeldLimit, stage: int) -> bool:
    """Whether a limit refuses a design after a stage, which is counted from 0; what the last leaves open is refused."""
    simulated, limit_s = held.simulated, held.limit.limit_s
    return simulated.low > limit_s or (stage > 0 and simulated.value > limit_s)
