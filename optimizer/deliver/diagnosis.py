"""The page of `roofplan predict --command`: figures beside what was measured, their terms, causes, the best change."""

from __future__ import annotations

import re
from textwrap import wrap

from rich.text import Text

from optimizer.deliver.design_sections import counted, layout_text
from optimizer.deliver.figures import bar, duration, percent
from optimizer.deliver.page import GLUE, LABEL_STYLE, LABEL_WIDTH, TEXT_WIDTH, Section, packed
from optimizer.diagnose.diagnosis import Cause, Diagnosis, Finding, Interval, Metric, TermOut, Verdict

_NAMES = {Metric.TPOT: "tpot", Metric.TTFT: "ttft", Metric.TOKENS_PER_S: "tokens/s"}
_NAME_WIDTH, _VALUE_WIDTH, _INTERVAL_WIDTH, _TERM_WIDTH = 9, 11, 24, 36
# The blank between a number and its unit, at which no line breaks.
_UNIT = re.compile(r"(?<=\d) (?=(?:ns|us|ms|s|GB)\b|%)")
# Terms below this share of their time are summed.
_SMALL_TERM = 0.01
_MOST_ASSUMED_LINES = 3
_VERDICTS = {
    Verdict.INSIDE: ("As predicted", "bold green"),
    Verdict.SLOWER: ("Slower than predicted", "bold red"),
    Verdict.FASTER: ("Faster than predicted", "bold green"),
    Verdict.NOT_MEASURED: ("Predicted", "bold"),
}


def render_diagnosis(found: Diagnosis) -> Text:
    """The page; it is as long as it has causes."""
    server = found.server
    words, style = _VERDICTS[found.verdict]
    replicas = counted(server.replicas, "replica")
    machine = f"{server.accelerators_per_host} {server.accelerator}"
    verdict = Text.assemble(
        (words, style),
        f": {server.model} as {replicas} of {layout_text(server.layout)} on {server.hosts} × {machine}",
    )
    groups = (
        (_asked(found), _assumed(found)),
        (_predicted(found),),
        (_terms("TPOT", () if found.terms is None else found.terms.tpot_s),),
        (_terms("TTFT", () if found.terms is None else found.terms.ttft_s),),
        (_causes(found),),
        (_change(found),),
        (packed("Warning", found.warnings, _MOST_ASSUMED_LINES, "yellow"),),
    )
    blocks = [verdict]
    for group in groups:
        lines = [line for section in group for line in _labelled(section)]
        blocks += [Text(), *lines] if lines else []
    return Text("\n").join(blocks)


def _labelled(section: Section) -> list[Text]:
    return [
        Text.assemble((f"{'' if index else section.label:<{LABEL_WIDTH}}", LABEL_STYLE), line)
        for index, line in enumerate(section.lines)
    ]


def _asked(found: Diagnosis) -> Section:
    server, load, held = found.server, found.load, found.occupancy
    if load.concurrency is not None:
        arrivals = f"{load.concurrency:g} clients that wait for their answers"
    elif load.request_rate is not None:
        arrivals = f"{load.request_rate:g} req/s"
    else:
        arrivals = "every request at once"
    formats = server.formats
    limits = "" if server.max_num_seqs is None else f" max_num_seqs {server.max_num_seqs},"
    return packed(
        "Asked",
        (
            arrivals,
            f"{load.prompt_tokens:,.0f} prompt and {load.output_tokens:,.0f} output tokens",
            f"{formats.weights} weights, {formats.activations} activations, {formats.kv} KV",
            f"{server.engine}{limits} max_num_batched_tokens {server.max_num_batched_tokens}",
            f"the KV cache of a replica holds {held.kv_tokens:,.0f} tokens",
        ),
        4,
    )


def _assumed(found: Diagnosis) -> Section:
    return packed(
        "Assumed", [f"{each.key} {each.value} ({each.why})" for each in found.assumed], _MOST_ASSUMED_LINES, "dim"
    )


def _predicted(found: Diagnosis) -> Section:
    figures = found.figures
    if figures is None:
        return Section("Predicted", (Text("overload: no latency is steady", "bold red"),))
    measured = {each.metric: each for each in found.measured}
    head = f"{'':<{_NAME_WIDTH}}{'mean':>{_VALUE_WIDTH}}   {'90 % interval':<{_INTERVAL_WIDTH}}"
    head += "measured" if measured else ""
    rows = [Text(head.rstrip(), "dim")]
    for metric, interval in (
        (Metric.TTFT, figures.ttft_s),
        (Metric.TPOT, figures.tpot_s),
        (Metric.TOKENS_PER_S, figures.output_tokens_per_s),
    ):
        row = f"{_NAMES[metric]:<{_NAME_WIDTH}}{_value(metric, interval.value):>{_VALUE_WIDTH}}   "
        row += f"{_interval(metric, interval):<{_INTERVAL_WIDTH}}"
        beside = measured.get(metric)
        if beside is not None:
            row += f"{_value(metric, beside.measured)}: {beside.ratio:.2f} × predicted, {beside.verdict}"
        rows.append(Text(row.rstrip()))
    return Section("Predicted", tuple(rows))


def _value(metric: Metric, value: float) -> str:
    return f"{value:,.0f}" if metric is Metric.TOKENS_PER_S else duration(value)


def _interval(metric: Metric, interval: Interval) -> str:
    high = "overload" if interval.high is None else _value(metric, interval.high)
    return f"{_value(metric, interval.low)} to {high}"


def _terms(label: str, terms: tuple[TermOut, ...]) -> Section:
    """The terms of a time, the largest first; small ones in one line."""
    large = sorted((each for each in terms if each.share >= _SMALL_TERM), key=lambda each: -each.share)
    small = [each for each in terms if each.share < _SMALL_TERM]
    rows = [_term(each.term, each.seconds, each.share) for each in large]
    if small:
        rows.append(_term("other", sum(each.seconds for each in small), sum(each.share for each in small)))
    return Section(label, tuple(rows))


def _term(name: str, seconds: float, share: float) -> Text:
    return Text(f"{name:<{_TERM_WIDTH}}{bar(share)} {percent(share):>5}  {duration(seconds)}")


def _causes(found: Diagnosis) -> Section:
    """One cause a paragraph; the layout stands under the best change."""
    causes = [each for each in found.findings if each.cause is not Cause.LAYOUT]
    return Section("Why", tuple(line for each in causes for line in _cause(each)))


def _cause(finding: Finding) -> list[Text]:
    name = f"{finding.cause.value} (against the premise)" if finding.premise else finding.cause.value
    text = _UNIT.sub(GLUE, f"{name}: {finding.says}")
    lines = wrap(text, TEXT_WIDTH - 2, break_on_hyphens=False)
    return [Text(f"{'  ' if index else '· '}{line.replace(GLUE, ' ')}") for index, line in enumerate(lines)]


def _change(found: Diagnosis) -> Section:
    best = found.best_change
    if best is None:
        does = "carries this load" if found.figures is None else "is better"
        kept = f"none of the {found.arrangements} arrangements of these accelerators in these formats {does}"
        return Section("Change", (Text(kept),))
    how = f"{counted(best.replicas, 'replica')} of {layout_text(best.layout)}"
    formats = "" if best.formats == found.server.formats else f", {best.formats.weights} weights, {best.formats.kv} KV"
    if found.figures is None:
        gain = "would carry the load"
    elif best.metric == Metric.TOKENS_PER_S:
        gain = f"would carry {best.gain:.2f}× the tokens/s"
    else:
        gain = f"would end a request {best.gain:.2f}× as soon"
    return packed(
        "Change",
        (
            f"{how}{formats} on the same accelerators {gain}",
            f"{best.output_tokens_per_s:,.0f} tokens/s",
            f"tpot {duration(best.tpot_s)}",
            f"ttft {duration(best.ttft_s)}",
            f"the best of {found.arrangements} arrangements",
        ),
        3,
    )
