"""The report of one answer, for a terminal or a file: at most 30 lines of 100 columns, the verdict first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote

from rich.console import Console
from rich.text import Text

from optimizer.deliver import (
    choice_sections,
    design_sections,
    infeasible_sections,
    inverse_sections,
    job_sections,
    operation_sections,
    proof_sections,
    wall_sections,
)
from optimizer.deliver.figures import dollars, duration, long_duration, request_rate
from optimizer.deliver.page import PAGE_LINES, PAGE_WIDTH, Section, height, labelled, packed, page
from optimizer.outcome import (
    Assumed,
    Cost,
    Design,
    Objective,
    ObjectiveMetric,
    OfflineOut,
    Outcome,
    Predicted,
    Status,
)
from requirements_specs.restate import budget_texts, restate
from requirements_specs.serving import Objective as Sought
from requirements_specs.serving import ServingSpec

# Longer assumptions come last, so that a cut page shows as many as it can.
_LONGEST_ASSUMPTION = 24
_FEWEST_ASKED = 2
_FEWEST_ASSUMED = 1
_MOST_ASSUMED = 3
_SUPERLATIVES = {Sought.FASTEST: "fastest", Sought.MOST_REQUESTS: "the most"}
_WITHIN = " within "


@dataclass(frozen=True)
class _Most:
    """Most lines of the sections that give way where a page is full."""

    proof: int = 4
    periods: int = 2
    growth: int = 2
    failure: int = 2
    next_best: int = 2
    allowances: int = 2


# In this order.
_SHORTER: tuple[Mapping[str, int], ...] = (
    {"proof": 3},
    {"proof": 2},
    {"allowances": 1},
    {"next_best": 1},
    {"failure": 1},
    {"growth": 1},
    {"periods": 1},
    {"proof": 1},
)


def report_console() -> Console:
    """A console on standard output: plain text unless that is a terminal and NO_COLOR is not set."""
    return Console(
        width=PAGE_WIDTH,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        soft_wrap=True,
    )


def terminal_text(report: Text) -> str:
    """The report as standard output wants it; whoever prints it sees for himself when a reader has left."""
    console = report_console()
    with console.capture() as capture:
        console.print(report, end="")
    return capture.get()


def render(outcome: Outcome, spec: ServingSpec, source_name: str, next_command: str = "") -> Text:
    """The report; `source_name` is the path of the specification as the reader would type it.

    `next_command` stands in its last line where the specification has no path yet.
    """
    following = next_command or f"roofplan solve {quote(source_name)} --json"
    if outcome.design is not None and outcome.cost is not None and outcome.offline is not None:
        return _job_found(outcome, outcome.design, outcome.cost, outcome.offline, spec, following)
    if outcome.design is not None and outcome.cost is not None and outcome.predicted is not None:
        report = _found(outcome, outcome.design, outcome.cost, outcome.predicted, spec, following)
    else:
        report = _not_found(outcome, spec, following)
    below = [labelled(section) for section in choice_sections.choices(outcome, spec)]
    return Text("\n\n").join([report, *below])


def _found(
    outcome: Outcome, design: Design, cost: Cost, prediction: Predicted, spec: ServingSpec, following: str
) -> Text:
    pool = design.pools[0]
    figures = " · ".join(
        [design_sections.machines_text(pool), f"{dollars(cost.usd_per_hour)}/h", *_reached(outcome.objective)]
    )
    words, style = (_superlative(spec), "bold green") if outcome.proved else (_not_proved(outcome), "bold red")
    if len(f"{figures} · {words}") > PAGE_WIDTH:
        words = words.partition(_WITHIN)[0]  # the caps stand in the question
    verdict = Text.assemble((figures, "bold"), " · ", (words, style))

    def sections(most: _Most) -> tuple[tuple[Section, ...], ...]:
        return (
            (design_sections.design(pool), design_sections.cost(pool, cost, prediction)),
            (design_sections.predicted(prediction, spec, outcome.objective),),
            (
                operation_sections.periods(outcome, most.periods),
                operation_sections.growth(outcome, most.growth),
                operation_sections.failure(outcome, most.failure),
            ),
            (
                wall_sections.walls(outcome),
                wall_sections.binds(outcome),
                inverse_sections.just_enough(outcome.minimum_hardware),
            ),
            (
                proof_sections.next_best(outcome, most.next_best),
                proof_sections.proof(outcome, most.proof),
                proof_sections.allowances(outcome, "nothing cheaper", most.allowances),
                proof_sections.warnings(outcome),
                _next(following),
            ),
        )

    most = _Most()
    answer = sections(most)
    room = PAGE_LINES - 1 - _FEWEST_ASKED - _FEWEST_ASSUMED
    for shorter in _SHORTER:
        if sum(height(group) for group in answer) <= room:
            break
        most = replace(most, **shorter)
        answer = sections(most)
    return page(verdict, (_question(outcome, spec, answer), *answer))


def _not_proved(outcome: Outcome) -> str:
    refused = outcome.verification is not None and outcome.verification.limits is None
    return "refused by simulation" if refused else "best found, not proved"


def _reached(objective: Objective) -> tuple[str, ...]:
    """What the objective reached, where that is not the cost."""
    if objective.value is not None and objective.metric is ObjectiveMetric.E2E_MEAN_S:
        return (f"mean e2e {duration(objective.value)}",)
    if objective.value is not None and objective.metric is ObjectiveMetric.REQUESTS_PER_S:
        return (request_rate(objective.value),)
    return ()


def _superlative(spec: ServingSpec) -> str:
    """What was proved: `proved fastest within $60/h`."""
    if spec.objective not in _SUPERLATIVES:
        return f"proved {spec.objective}"
    accelerators = spec.inventory.max_accelerators
    caps = [*budget_texts(spec.budget), *([] if accelerators is None else [f"{accelerators:,} accelerators"])]
    return f"proved {_SUPERLATIVES[spec.objective]}{_WITHIN}{' and '.join(caps)}"


def _job_found(
    outcome: Outcome, design: Design, cost: Cost, job: OfflineOut, spec: ServingSpec, following: str
) -> Text:
    pool = design.pools[0]
    best = "smallest fleet" if spec.objective is Sought.SMALLEST_FLEET else "cheapest"
    proved = (f"proved {best}", "bold green") if outcome.proved else ("best found, not proved", "bold red")
    took = f"{dollars(job.usd_per_job)} in {long_duration(job.duration_s)}"
    verdict = Text.assemble((design_sections.machines_text(pool), "bold"), " · ", (took, "bold"), " · ", proved)
    answer = (
        (design_sections.design(pool), job_sections.cost(pool, cost, job, spec)),
        (job_sections.predicted(job, spec), job_sections.padding(pool, job)),
        (wall_sections.walls(outcome), wall_sections.binds(outcome)),
        (
            job_sections.next_best(outcome, spec),
            proof_sections.proof(outcome),
            job_sections.allowances(outcome),
            proof_sections.warnings(outcome),
            _next(following),
        ),
    )
    return page(verdict, (_question(outcome, spec, answer), *answer))


def _not_found(outcome: Outcome, spec: ServingSpec, following: str) -> Text:
    infeasible = outcome.status is Status.INFEASIBLE
    words = "No design meets this specification · proved infeasible" if infeasible else "Stopped before an answer"
    why = (
        (infeasible_sections.wall(outcome), infeasible_sections.illegal(outcome)),
        (infeasible_sections.conflicts(outcome, spec),),
        (infeasible_sections.ways_out(outcome, spec), infeasible_sections.remedies(outcome, spec)),
    )
    answer = (
        *(why if infeasible else ()),
        (
            proof_sections.allowances(outcome, "still no design"),
            proof_sections.proof(outcome),
            proof_sections.warnings(outcome),
            _next(following),
        ),
    )
    return page(Text(words, "bold red"), (_question(outcome, spec, answer), *answer))


def _question(outcome: Outcome, spec: ServingSpec, answer: Sequence[Sequence[Section]]) -> tuple[Section, Section]:
    """What was asked and assumed, in the room that the answer leaves."""
    room = PAGE_LINES - 1 - sum(height(group) for group in answer)
    asked = _asked(spec, max(_FEWEST_ASKED, room - _FEWEST_ASSUMED))
    return asked, _assumed(outcome, max(1, min(room - height([asked]), _MOST_ASSUMED)))


def _asked(spec: ServingSpec, most_lines: int) -> Section:
    traffic, lengths, limits, *rest = restate(spec)
    pieces = [piece for line in (traffic, limits, lengths, *rest) for piece in line.split("; ")]
    return packed("Asked", [f"{spec.name}: {pieces[0]}", *pieces[1:]], most_lines, more=" … (all in the spec)")


def _assumed(outcome: Outcome, most_lines: int) -> Section:
    """The assumptions in short; a specification goes from the general to the particular, so the last come first."""
    items = [_assumption(each) for each in reversed(outcome.assumed)]
    simulated = outcome.verification is not None or outcome.design is None or outcome.offline is not None
    first = [] if simulated else ["not simulated"]
    short_first = sorted(items, key=lambda item: len(item) > _LONGEST_ASSUMPTION)
    return packed("Assumed", [*first, *short_first], most_lines, "dim")


def _assumption(assumed: Assumed) -> str:
    key = assumed.key.rpartition(".")[2]
    return f"no {key}" if assumed.value == "false" else f"{key} {assumed.value}"


def _next(command: str) -> Section:
    """The command to go on with; it stays on one line, however long it is."""
    return Section("Next", (Text(command),))
