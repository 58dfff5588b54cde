"""A specification put to the catalog: the candidate space, the physics and the demand that the search works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import prod
from statistics import NormalDist
from typing import TYPE_CHECKING

from catalog.models import Model
from catalog.offers import Tier
from catalog.parts import Evidence
from catalog.read import Snapshot
from optimizer.arithmetic.money import SECONDS_PER_HOUR
from optimizer.arithmetic.replica_rows import ReplicaRow
from optimizer.confidence import replicas_of, step_spread
from optimizer.errors import QuestionError
from optimizer.evaluate import FleetArrivals, Physics, Question, prepare
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

POINT_PREDICTION = 0.5


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
