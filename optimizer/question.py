"""A specification put to the catalog: the candidate space, the physics and the demand that the search works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import log, prod
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from catalog.corrections import Correction
from catalog.efficiency import MeasuredSpread
from catalog.engines import Engine
from catalog.models import Model
from catalog.offers import Tier
from catalog.parts import Evidence
from catalog.read import Snapshot
from optimizer.arithmetic.arrays import Integers
from optimizer.arithmetic.money import SECONDS_PER_HOUR
from optimizer.arithmetic.replica_rows import Estimate, ReplicaRow
from optimizer.arithmetic.replicas import Replicas
from optimizer.arithmetic.serving import build_replicas
from optimizer.errors import QuestionError
from optimizer.evaluate import FleetArrivals, Physics, Question, StepSpread, prepare
from optimizer.inventory import admitted_offers
from optimizer.search.aims import Aim, Fastest, MostRequests
from optimizer.search.bounds import Demand
from optimizer.search.jobs import Job
from optimizer.topology.format_choices import format_choices
from optimizer.topology.layouts import CandidateSpace, candidate_space
from optimizer.traffic.workload_bins import WorkloadBins, bin_workload
from requirements_specs.requirement import Metric, Statistic
from requirements_specs.serving import Objective, ServingSpec

if TYPE_CHECKING:
    from optimizer.arithmetic.speculative import Speculation

KERNEL_RULES = Estimate.DENSE_KERNELS | Estimate.EXPERT_KERNELS | Estimate.NO_MULTIPROCESSORS
POINT_PREDICTION = 0.5
# Ends of a central 90 % interval, in standard deviations; slower steps and a smaller KV cache go together.
INTERVAL_DEVIATIONS = NormalDist().inv_cdf(0.95)
# Nine of ten step times lie within these factors of their prediction, either way, where nothing more is known of the
# engine with the part's kind and the weight format.
STEP_FACTOR = {Evidence.MEASURED: 1.5, Evidence.CLASS: 1.7, Evidence.ESTIMATED: 2.5}


@dataclass(frozen=True)
class Problem:
    """Everything that the search needs, for one specification; where there is a job, it is met and not the demand.

    aim: what is sought within the caps; None: the least cost. speculation: where the physics is of steps that draft and
    verify, and counts outputs in steps.
    """

    space: CandidateSpace
    physics: Physics
    question: Question
    demand: Demand
    aim: Aim | None = None
    job: Job | None = None
    speculation: Speculation | None = None

    @property
    def tokens_per_step(self) -> float:
        """Mean tokens that a sequence gets per step."""
        return 1.0 if self.speculation is None else self.speculation.kept

    def carrying(self, rate_per_s: float) -> Problem:
        """The same problem at another rate of all requests."""
        arrivals = self.question.arrivals
        if isinstance(arrivals, FleetArrivals):
            arrivals = replace(arrivals, rate_per_s=rate_per_s)
        return replace(
            self,
            question=replace(self.question, arrivals=arrivals),
            demand=replace(self.demand, rate_per_s=rate_per_s),
        )


@dataclass(frozen=True)
class Nothing:
    """A specification for which no candidate is legal; the space says why."""

    space: CandidateSpace


def pose(spec: ServingSpec, snapshot: Snapshot) -> Problem | Nothing:
    """Build the problem that a specification puts to the catalog.

    Raises:
        QuestionError: the catalog cannot be asked this, with the reason.

    """
    model = snapshot.models[spec.model]
    if model.uncounted is not None:
        raise QuestionError(f"model: {model.id} cannot be counted: {model.uncounted}")
    longest = spec.workload.prompt_tokens.maximum + spec.workload.output_tokens.maximum
    if longest > model.max_context:
        raise QuestionError(
            f"workload.prompt_tokens, workload.output_tokens: the longest request has {longest:,.0f} tokens, the "
            f"context of {model.id} holds {model.max_context:,}; state shorter ones, or another model"
        )
    offers = admitted_offers(spec.inventory, snapshot)
    if not offers:
        raise QuestionError("inventory: no offer of the catalog is left by providers, regions, tiers and accelerators")
    formats = format_choices(model, spec.formats, snapshot.formats)
    if not formats:
        raise QuestionError("formats: no kernel multiplies weights of the allowed formats by the allowed activations")
    space = candidate_space(
        model,
        offers,
        snapshot.accelerators,
        formats,
        [snapshot.engines[name] for name in spec.engines],
        spec.layout,
        estimated_parts=spec.inventory.estimated_parts,
        undated=spec.inventory.undated,
        admitted_parts=frozenset(spec.inventory.custom_accelerators),
        tiers_differ=spec.inventory.spot is not None,
    )
    if not space.keys:
        return Nothing(space)
    physics = physics_of(model, space.keys, bin_workload(spec.workload), snapshot)
    return Problem(space, physics, question_at(spec, spec.risk), demand_of(spec), aim_of(spec), job_of(spec))


def physics_of(model: Model, rows: Sequence[ReplicaRow], bins: WorkloadBins, snapshot: Snapshot) -> Physics:
    """The physics of rows, a key each, beside a workload, and how far it is known."""
    replicas = replicas_of(model, rows, snapshot)
    return prepare(replicas, bins, step_spread(model, rows, replicas.estimates, snapshot))


def replicas_of(model: Model, rows: Sequence[ReplicaRow], snapshot: Snapshot) -> Replicas:
    """The step times of rows, a key each, with the user's corrections."""
    return build_replicas(model, corrected_rows(model, rows, snapshot), snapshot)


def corrected_rows(model: Model, rows: Sequence[ReplicaRow], snapshot: Snapshot) -> Sequence[ReplicaRow]:
    """The rows with their engines as the user measured them, where the snapshot has a correction."""
    if not snapshot.corrections:
        return rows
    engines: dict[tuple[str, str, str], Engine] = {}

    def engine_of(row: ReplicaRow) -> Engine:
        key = (row.accelerator.id, row.engine.id, row.weights.id)
        if key not in engines:
            correction = correction_of(model, row, snapshot)
            engines[key] = row.engine if correction is None else correction.applied_to(row.engine, row.weights.id)
        return engines[key]

    return [replace(row, engine=engine_of(row)) for row in rows]


def step_spread(model: Model, rows: Sequence[ReplicaRow], estimates: Integers, snapshot: Snapshot) -> StepSpread:
    """How far the step times of rows with their `Estimate` bits may lie from what is predicted.

    As measured runs of the engine say, with parts known as well and the weight format; without any, the factors of the
    evidence. A correction has its own, but measurements of one tensor parallel size do not narrow it for another, whose
    collectives they did not see.
    """
    deviations: dict[tuple[Evidence, str, str], tuple[float, float]] = {}
    found = []
    for row, bits in zip(rows, estimates.tolist(), strict=True):
        cell = (evidence_of(row, Estimate(bits)), row.engine.id, row.weights.id)
        if cell not in deviations:
            slower, faster = (log(factor) / INTERVAL_DEVIATIONS for factor in step_factors(*cell, snapshot))
            deviations[cell] = slower, faster
        slower, faster = deviations[cell]
        correction = correction_of(model, row, snapshot)
        if correction is not None:
            left = correction.step_deviation
            other_size = row.tp not in correction.tp
            slower, faster = (max(left, each) if other_size else left for each in (slower, faster))
        found.append((slower, faster))
    both = np.array(found).reshape(-1, 2)
    return StepSpread(both[:, 0], both[:, 1])


def step_factors(evidence: Evidence, engine: str, weights: str, snapshot: Snapshot) -> tuple[float, float]:
    """How much slower and how much faster than predicted nine of ten steps are at most; assumed without runs."""
    measured = measured_spread(evidence, engine, weights, snapshot)
    if measured is None:
        return STEP_FACTOR[evidence], STEP_FACTOR[evidence]
    return measured.slower_factor, measured.faster_factor


def measured_spread(evidence: Evidence, engine: str, weights: str, snapshot: Snapshot) -> MeasuredSpread | None:
    """What runs of an engine era with a weight format say, on parts known as well; None if there are none."""
    cell = (evidence, engine, weights)
    found = (each for each in snapshot.efficiency.step_spread if (each.evidence, each.engine, each.weights) == cell)
    return next(found, None)


def correction_of(model: Model, row: ReplicaRow, snapshot: Snapshot) -> Correction | None:
    """The correction that was measured with the row's own weight format, or None."""
    correction = snapshot.corrections.get((model.id, row.accelerator.id, row.engine.id))
    return correction if correction is not None and row.weights.id in correction.step_factors else None


def evidence_of(row: ReplicaRow, estimates: Estimate) -> Evidence:
    """How a key's step times are known: its part's evidence, lowered by every rule that stands in for a fit.

    A rule for a link or a hop widens to the class interval, a rule for kernels to the estimated one.
    """
    if row.accelerator.evidence is Evidence.ESTIMATED or estimates & KERNEL_RULES:
        return Evidence.ESTIMATED
    if row.accelerator.evidence is Evidence.CLASS or estimates:
        return Evidence.CLASS
    return Evidence.MEASURED


def question_at(spec: ServingSpec, risk: float) -> Question:
    """The limits of a spec at a risk: every limit must hold with probability 1 − risk.

    A job fills its replicas; the load cap is of arrivals.
    """
    if spec.workload.offline is not None:
        return Question((), 1.0, NormalDist().inv_cdf(1.0 - risk))
    workload = spec.workload
    arrivals = FleetArrivals(workload.peak_request_rate_per_s, workload.index_of_dispersion)
    return Question(spec.slo, spec.availability.load_cap, NormalDist().inv_cdf(1.0 - risk), arrivals)


def demand_of(spec: ServingSpec) -> Demand:
    """Rate, spares and caps; a budget per million output tokens is a budget per hour at the stated rate."""
    most = spec.budget.usd_micro_per_hour
    per_million = spec.budget.usd_per_million_output_tokens
    if per_million is not None:
        # the decimals that were stated, not their binary neighbours
        factors = (per_million, spec.workload.mean_request_rate_per_s, spec.workload.output_tokens.mean)
        hourly = int(prod(Decimal(str(factor)) for factor in factors) * SECONDS_PER_HOUR)
        most = hourly if most is None else min(most, hourly)
    return Demand(
        spec.workload.peak_request_rate_per_s,
        spec.availability.spare_replicas,
        spec.inventory.max_accelerators,
        most,
    )


def aim_of(spec: ServingSpec) -> Aim | None:
    """What is sought within the caps; None where the objective is the least cost."""
    match spec.objective:
        case Objective.FASTEST:
            return Fastest()
        case Objective.MOST_REQUESTS:
            return MostRequests(spec.workload.peak_factor)
    return None


def moved_limit(spec: ServingSpec, named: str | None) -> tuple[Metric, Statistic]:
    """The statistic whose limit a frontier moves: the one that is named, as `slo.ttft.p99`, or the first of the spec.

    Raises:
        QuestionError: no such statistic, none at all, an objective other than the cost, or a job.

    """
    if spec.objective is not Objective.CHEAPEST:
        raise QuestionError(f"objective: a frontier shows the least cost; read {spec.objective}, allowed: cheapest")
    if spec.workload.offline is not None:
        raise QuestionError(
            "workload.offline: a job has no latency whose limit could be moved; a frontier needs workload.request_rate"
        )
    known = {f"{metric}.{statistic}": (metric, statistic) for metric in Metric for statistic in Statistic}
    if named is not None:
        limit = known.get(named.removeprefix("slo."))
        if limit is None:
            raise QuestionError(f"--frontier-of: no such latency: {named}; allowed: slo.{', slo.'.join(known)}")
        return limit
    if not spec.slo:
        raise QuestionError("slo: a frontier needs a latency; add a limit, or name one: --frontier-of slo.ttft.p99")
    return spec.slo[0].metric, spec.slo[0].statistic


def job_of(spec: ServingSpec) -> Job | None:
    """The offline job of a spec; a budget per million output tokens is a budget of the whole job."""
    job = spec.workload.offline
    if job is None:
        return None
    spot = spec.inventory.spot
    most = spec.budget.usd_per_million_output_tokens
    if most is not None:
        # dollars per million tokens are micro-dollars per token
        tokens = Decimal(job.requests) * Decimal(str(spec.workload.output_tokens.mean))
        most_usd_micro: int | None = int(Decimal(str(most)) * tokens)
    else:
        most_usd_micro = None
    return Job(
        requests=job.requests,
        window_s=job.window_s,
        interruptions_per_s=0.0 if spot is None else spot.interruptions_per_hour / SECONDS_PER_HOUR,
        restart_s=0.0 if spot is None else spot.restart_s,
        most_accelerators=spec.inventory.max_accelerators,
        most_usd_micro_per_hour=spec.budget.usd_micro_per_hour,
        most_usd_micro=most_usd_micro,
        smallest_fleet=spec.objective is Objective.SMALLEST_FLEET,
    )


def without_caps(demand: Demand) -> Demand:
    """The same demand without budget or accelerator cap."""
    return replace(demand, most_accelerators=None, most_usd_micro_per_hour=None)


def more_allowed(spec: ServingSpec, snapshot: Snapshot, usd_micro: int | None) -> tuple[ServingSpec, Snapshot] | None:
    """The spec with estimated parts and undated prices allowed, and the offers that this adds; None if it adds none.

    usd_micro: an hourly price below which offers count; None: at any, as a dear part may end a job sooner.
    """
    inventory = spec.inventory
    added = tuple(
        offer
        for offer in admitted_offers(inventory, snapshot)
        if (usd_micro is None or offer.usd_micro_per_hour < usd_micro)
        and (
            (offer.is_undated and not inventory.undated)
            or (
                snapshot.accelerators[offer.accelerator].evidence is Evidence.ESTIMATED
                and not inventory.estimated_parts
                and offer.accelerator not in inventory.custom_accelerators
            )
        )
    )
    if not added:
        return None
    # What is added was admitted by name and has the user's prices already; owned machines among it are offers by now.
    applied = {"providers": None, "regions": None, "tiers": tuple(Tier), "owned": (), "prices": None, "discounts": ()}
    wider = inventory.model_copy(update={**applied, "estimated_parts": True, "undated": True})
    return spec.model_copy(update={"inventory": wider}), snapshot.model_copy(update={"offers": added})
