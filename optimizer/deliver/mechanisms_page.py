"""The page of `roofplan mechanisms`: the design with each mechanism off and on, and where drafted tokens pay."""

from __future__ import annotations

from rich.text import Text

from optimizer.deliver.design_sections import machines_text
from optimizer.deliver.figures import dollars, duration, percent, request_rate, signed_percent
from optimizer.deliver.page import Section, packed, page
from optimizer.outcome import (
    BatchOut,
    Cost,
    Design,
    Mechanism,
    MechanismOut,
    MechanismsOut,
    ResolvedOut,
    SettingOut,
    SpeculationOut,
    Worth,
)

_LABELS = {
    Mechanism.CHUNKED_PREFILL: "Chunks",
    Mechanism.PREFIX_CACHE: "Prefixes",
    Mechanism.FP8_KV: "FP8 KV",
    Mechanism.DP_ATTENTION: "DP",
    Mechanism.SPECULATIVE_DECODING: "Drafts",
}
_STYLES = {Worth.GAINS: "green", Worth.NEEDED: "green", Worth.LOSES: "red"}
_SETTING_WIDTH = 36
_RATE_WIDTH = 12
_LATENCY_WIDTH = 10
_REASON_LINES = 2
_BATCH_NAME_WIDTH = 26
_BATCH_WIDTH = 8
_NOTHING = "0 %"


def render_mechanisms(mechanisms: MechanismsOut, design: Design, cost: Cost, command: str) -> Text:
    """The page; `command` is what asks the same again."""
    verdict = Text.assemble(
        "Mechanisms of ", (machines_text(design.pools[0]), "bold"), f" at {dollars(cost.usd_per_hour)}/h"
    )
    return page(
        verdict,
        (
            (_head(mechanisms.request_rate_per_s), *(part for each in mechanisms.choices for part in _choice(each))),
            (_batches(mechanisms.speculation),),
            (Section("Next", (Text(f"{command} --json"),)),),
        ),
    )


def _head(rate_per_s: float) -> Section:
    asked = f"by the laws; percentiles at {request_rate(rate_per_s)}"
    columns = f"{'carries':>{_RATE_WIDTH}}{'ttft p99':>{_LATENCY_WIDTH}}{'tpot p99':>{_LATENCY_WIDTH}}   worth"
    return Section("", (Text(f"{asked:<{_SETTING_WIDTH}}{columns}", "dim"),))


def _choice(choice: MechanismOut) -> tuple[Section, Section]:
    """Off, on with what it is worth, and why."""
    on = _setting("on", choice.on, now=choice.in_use)
    on.append(f"{'':<{max(_columns_width() - len(on), 0)}}   ")
    on.append(_worth(choice), _STYLES.get(choice.worth, ""))
    rows = (_setting("off", choice.off, now=not choice.in_use), on)
    pieces = [choice.reason, *([] if choice.resolved is None else [_resolved(choice.resolved)])]
    return Section(_LABELS[choice.mechanism], rows), packed("", pieces, _REASON_LINES, "dim")


def _columns_width() -> int:
    return _SETTING_WIDTH + _RATE_WIDTH + 2 * _LATENCY_WIDTH


def _setting(which: str, setting: SettingOut, *, now: bool) -> Text:
    name = f"{which:<4}{setting.name}{' ◄ design' if now else ''}"
    figures = setting.figures
    if figures is None:
        return Text(name)
    latencies = "".join(f"{_duration(each):>{_LATENCY_WIDTH}}" for each in (figures.ttft_p99_s, figures.tpot_p99_s))
    return Text(f"{name:<{_SETTING_WIDTH}}{request_rate(figures.highest_rate_per_s):>{_RATE_WIDTH}}{latencies}")


def _duration(seconds: float | None) -> str:
    return "overload" if seconds is None else duration(seconds)


def _worth(choice: MechanismOut) -> str:
    """The gain; nothing is said as zero."""
    match choice.worth:
        case Worth.NOTHING:
            return _NOTHING
        case Worth.NOT_OFFERED:
            return f"{_NOTHING}, not offered"
        case Worth.NOT_STATED:
            return f"{_NOTHING}, not stated"
    return "needed" if choice.gain is None else signed_percent(choice.gain)


def _resolved(resolved: ResolvedOut) -> str:
    cost = "nothing" if resolved.usd_per_hour is None else f"{dollars(resolved.usd_per_hour)}/h"
    return f"solved with {resolved.requirement}: {resolved.to}: {cost}"


def _batches(speculation: SpeculationOut) -> Section:
    """What drafting is worth in each batch."""
    batches = (speculation.running, *speculation.curve)
    rows = [
        _row("sequences in a step", [f"{each.sequences:,.0f}" for each in batches], "dim"),
        _row(f"to verify {speculation.drafted} drafts, steps", [f"{each.verify_steps:.2f}" for each in batches]),
    ]
    if speculation.acceptance is None:
        rows.append(_row("accepted, to be no slower", [_needed(each) for each in batches]))
    else:
        rows.append(_row("times as fast with drafts", [_speed_up(each) for each in batches]))
    return Section("Batch", tuple(rows))


def _row(name: str, values: list[str], style: str = "") -> Text:
    return Text(f"{name:<{_BATCH_NAME_WIDTH}}" + "".join(f"{value:>{_BATCH_WIDTH}}" for value in values), style)


def _needed(batch: BatchOut) -> str:
    return "never" if batch.acceptance_needed is None else percent(batch.acceptance_needed)


def _speed_up(batch: BatchOut) -> str:
    return "" if batch.speed_up is None else f"{batch.speed_up:.2f}"
