"""From commands, a machine, a load and measurements to a diagnosis."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from catalog.errors import CatalogError
from catalog.read import Snapshot
from optimizer.additions import Additions
from optimizer.diagnose.alternatives import alternatives, formats_out, layout_out
from optimizer.diagnose.causes import findings
from optimizer.diagnose.deployment import Deployment, Stated, read_deployment
from optimizer.diagnose.diagnosis import (
    Comparison,
    Diagnosis,
    Interval,
    LoadOut,
    Metric,
    Occupancy,
    PoolsOut,
    Server,
    TermOut,
    Terms,
    Verdict,
)
from optimizer.diagnose.evidence import Evidence, Measured
from optimizer.diagnose.forecast import Forecast, forecast
from optimizer.diagnose.launch import LaunchError, PoolRole, read_launch
from optimizer.diagnose.machine import read_machine
from optimizer.diagnose.models import named_model
from optimizer.diagnose.pools import bound_pools
from optimizer.diagnose.terms import Share, first_token_terms, per_token_terms
from optimizer.diagnose.wording import layout_name
from optimizer.evaluate import Closed, Open
from optimizer.outcome import Assumed
from optimizer.predict.cases import Unsupported
from optimizer.topology.layouts import ParallelLayout, layouts_of
from requirements_specs.errors import ValueProblem
from requirements_specs.quantity import Dimension, format_quantity

MOST_COMMANDS = 2


@dataclass(frozen=True)
class Asked:
    """The question. `commands`: one server, or the servers of a prefill and a decode pool.

    measured_model: the name of the model in the file of what was measured, if there is one.
    """

    commands: tuple[str, ...]
    machine: str
    load: Stated
    measured: Measured = field(default_factory=Measured)
    measured_model: str | None = None
    engine_version: str = ""
    servers: int | None = None
    any_formats: bool = False


def diagnose(asked: Asked, snapshot: Snapshot, beside: Path = Path()) -> Diagnosis:
    """Answer; paths of models are relative to the folder `beside`.

    Raises QuestionError, CatalogError or ValueProblem for what cannot be read, is not known, or does not fit.
    """
    servers = _servers(asked, snapshot, beside)
    # Pools are predicted as if every server did both, in the decode pool's layout.
    deployment = next((each for each in servers if each.command.launch.role is PoolRole.DECODE), servers[0])
    _check_model(asked, deployment)
    found = forecast(deployment)
    if not found.fits:
        raise LaunchError(_does_not_fit(found))
    comparisons = _comparisons(asked.measured, found)
    pools = bound_pools(servers, asked.measured.ttft_s, asked.measured.tokens_per_s)
    others = alternatives(found, any_formats=asked.any_formats)
    tpot = () if found.figures is None else per_token_terms(found.loaded)
    evidence = Evidence(found, tpot, asked.measured, comparisons, pools, others.best)
    return Diagnosis(
        server=_server(found),
        load=LoadOut(
            prompt_tokens=asked.load.prompt_tokens,
            output_tokens=asked.load.output_tokens,
            concurrency=asked.load.concurrency,
            request_rate=asked.load.rate_per_s,
        ),
        occupancy=_occupancy(found),
        figures=found.figures,
        terms=None if found.figures is None else _terms(tpot, first_token_terms(found.loaded)),
        verdict=_verdict(comparisons),
        measured=comparisons,
        findings=findings(evidence),
        pools=pools,
        best_change=others.best,
        arrangements=others.evaluated,
        assumed=tuple(Assumed(key=each.key, value=each.value, why=each.why) for each in deployment.assumed),
        catalog_hash=snapshot.hash,
        warnings=(*_warnings(found, pools), *asked.measured.notes),
    )


def _servers(asked: Asked, snapshot: Snapshot, beside: Path) -> tuple[Deployment, ...]:
    if not 1 <= len(asked.commands) <= MOST_COMMANDS:
        raise LaunchError("one command is expected, or two: those of a prefill and a decode pool")
    additions = Additions(snapshot, beside)
    machine = read_machine(asked.machine, snapshot)
    return tuple(
        read_deployment(read_launch(text), machine, asked.load, additions, asked.engine_version, asked.servers)
        for text in asked.commands
    )


def _check_model(asked: Asked, deployment: Deployment) -> None:
    """Refuse measurements of another model; a name that tells nothing is believed."""
    if asked.measured_model is None:
        return
    try:
        measured = named_model(asked.measured_model, deployment.command.additions).model
    except (CatalogError, ValueProblem):
        return
    if measured.id != deployment.case.model.id:
        raise LaunchError(f"{measured.id} was measured, the command serves {deployment.case.model.id}")


def _does_not_fit(found: Forecast) -> str:
    """Why a replica does not fit, and the smallest that does."""
    case, replica = found.case, found.loaded.replica
    machine = found.deployment.command.machine
    weights = format_quantity(float(replica.memory.weights[0]), Dimension.BYTES, 3)
    memory = format_quantity(float(case.row.accelerator.memory_bytes), Dimension.BYTES, 3)
    text = (
        f"{case.model.id} with {case.row.weights.id} weights does not fit {layout_name(found.deployment.layout)}: they "
        f"take {weights} of the {memory} of each {case.row.accelerator.id}, the engine "
        f"{format_quantity(float(replica.memory.overhead[0]), Dimension.BYTES, 3)}, and one request must be cached"
    )
    legal = sorted(
        (layout for layout in layouts_of(case.model) if layout.tp <= machine.domain),
        key=lambda layout: (layout.accelerators, layout.pp, layout.ep, layout.dp_attention),
    )
    for layout in legal:
        if layout.accelerators <= machine.accelerators and _fits(found, layout):
            return f"{text}; the smallest replica that fits: {layout_name(layout)}"
    return f"{text}; no replica on {machine.accelerators} accelerators does"


def _fits(found: Forecast, layout: ParallelLayout) -> bool:
    try:
        case = found.deployment.command.case(layout, 1)
    except Unsupported:
        return False
    return forecast(replace(found.deployment, case=case, layout=layout)).fits


def _server(found: Forecast) -> Server:
    deployment, case = found.deployment, found.case
    machine, launch = deployment.command.machine, deployment.command.launch
    return Server(
        engine=case.row.engine.id,
        model=case.model.id,
        accelerator=case.row.accelerator.id,
        hosts=machine.hosts,
        accelerators_per_host=machine.per_host,
        accelerators=case.accelerators,
        replicas=case.replicas,
        layout=layout_out(case),
        formats=formats_out(case),
        max_num_seqs=launch.max_num_seqs,
        max_num_batched_tokens=case.row.engine.prefill_chunk_tokens,
        role=launch.role,
    )


def _occupancy(found: Forecast) -> Occupancy:
    load, shape = found.loaded.load, found.loaded.shape
    return Occupancy(
        kv_tokens=found.kv_tokens,
        requests_held=found.kv_tokens / float(shape.prompt_tokens[0] + shape.output_tokens[0]),
        requests_running=found.running,
        requests_offered=float(load.concurrency[0]) if isinstance(load, Closed) else None,
    )


def _terms(tpot: tuple[Share, ...], ttft: tuple[Share, ...]) -> Terms:
    return Terms(tpot_s=_shown(tpot), ttft_s=_shown(ttft))


def _shown(shares: tuple[Share, ...]) -> tuple[TermOut, ...]:
    total = sum(each.seconds for each in shares)
    return tuple(
        TermOut(term=each.term.value, seconds=each.seconds, share=each.seconds / total)
        for each in shares
        if each.seconds > 0.0
    )


def _comparisons(measured: Measured, found: Forecast) -> tuple[Comparison, ...]:
    """What was measured beside its prediction; under a rate tokens/s are what arrives, not a prediction."""
    figures = found.figures
    if figures is None:
        return ()
    tokens_per_s = None if isinstance(found.loaded.load, Open) else measured.tokens_per_s
    pairs = (
        (Metric.TPOT, measured.tpot_s, figures.tpot_s),
        (Metric.TTFT, measured.ttft_s, figures.ttft_s),
        (Metric.TOKENS_PER_S, tokens_per_s, figures.output_tokens_per_s),
    )
    return tuple(
        Comparison(
            metric=metric,
            measured=value,
            predicted=predicted,
            ratio=value / predicted.value,
            verdict=_stands(metric, value, predicted),
        )
        for metric, value, predicted in pairs
        if value is not None
    )


def _stands(metric: Metric, measured: float, predicted: Interval) -> Verdict:
    """Below the interval is fast for a latency and slow for a throughput."""
    if measured < predicted.low:
        return Verdict.SLOWER if metric is Metric.TOKENS_PER_S else Verdict.FASTER
    if predicted.high is not None and measured > predicted.high:
        return Verdict.FASTER if metric is Metric.TOKENS_PER_S else Verdict.SLOWER
    return Verdict.INSIDE


def _verdict(comparisons: tuple[Comparison, ...]) -> Verdict:
    """Slower if anything is, then faster, then inside."""
    found = {each.verdict for each in comparisons}
    return next(
        (each for each in (Verdict.SLOWER, Verdict.FASTER, Verdict.INSIDE) if each in found), Verdict.NOT_MEASURED
    )


def _warnings(found: Forecast, pools: PoolsOut | None) -> tuple[str, ...]:
    notes = []
    if pools is not None:
        notes.append("figures are of the same accelerators without pools; pools themselves are not predicted")
    if found.deployment.command.launch.speculation is not None:
        notes.append("figures are without speculative decoding")
    return tuple(notes)
