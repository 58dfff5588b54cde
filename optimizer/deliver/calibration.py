"""What a calibration found, as text: errors before and after, factors, interval, and what was done to the file."""

from __future__ import annotations

import math

from catalog.corrections import Change, Correction, FirstTokenFactors, MeasuredLoad, StackFactors
from optimizer.calibration.calibrate import Calibrated, Calibration
from optimizer.calibration.layer import Stored
from optimizer.confidence import INTERVAL_DEVIATIONS

_LOADS = {MeasuredLoad.CLOSED_LOOP: "clients that wait for their answers", MeasuredLoad.OPEN: "arrivals at a rate"}
_AS_PREDICTED = "as predicted, for factors fitted to some of these results did not hold for the others"
# What a median error may grow by before it is worth a word.
WORSE = 0.02
ERROR_IS = "error: median |ln(predicted/measured)| of these results"


def calibration_text(found: Calibrated, stored: Stored, path: str) -> str:
    """A few lines per part and engine, then what to doubt, then the file."""
    lines = [line for each in found.calibrations for line in _group(each)]
    lines += [f"note: {result.source}: {note}" for result in found.results for note in result.notes]
    lines += [f"left out: {reason}" for each in found.calibrations for reason in each.left_out]
    groups = len(found.calibrations)
    lines.append(
        f"stored in {path}: {groups} group{_s(groups)}, {stored.replaced} of them replaced; "
        f"{stored.kept} other{_s(stored.kept)} kept"
    )
    lines.append(f"use it: roofplan solve SPEC --calibration {path}")
    return "\n".join(lines)


def _group(each: Calibration) -> list[str]:
    correction = each.correction
    tools = ", ".join(correction.tools)
    lines = [
        f"{correction.model} on {correction.accelerator} with {correction.engine}: {correction.results} "
        f"result{_s(correction.results)} of {tools}; {_LOADS[correction.load]}",
        f"  {ERROR_IS}",
        f"  TPOT   {_change(correction.tpot_error)}",
        f"  TTFT   {_change(correction.ttft_error)}",
        *(line for stack in correction.stacks for line in _stack(stack, correction)),
        f"  90 % interval of a step: from × {_interval(each.spread_before.slower[0])} "
        f"and ÷ {_interval(each.spread_before.faster[0])} "
        f"to ×/÷ {_interval(correction.step_deviation)} at TP{', TP'.join(map(str, correction.tp))}",
    ]
    for metric, change in (("TPOT", correction.tpot_error), ("TTFT", correction.ttft_error)):
        if change.after > change.before + WORSE:
            lines.append(
                f"  {metric} is no better for it: no factor fits these results; look at them before you use it"
            )
    if len(each.versions) > 1:
        versions = ", ".join(version or "none stated" for version in each.versions)
        lines.append(
            f"  {len(each.versions)} versions of the engine ({versions}): factors of their own, near common ones; "
            "a plan takes those of results that state none, or else of the newest"
        )
    if each.other is not None:
        lines.append(
            f"  not fitted: {each.other.results} result{_s(each.other.results)} with {_LOADS[each.other.load]}: "
            f"TPOT {_change(each.other.tpot_error)}, TTFT {_change(each.other.ttft_error)}"
        )
    return lines


def _stack(stack: StackFactors, correction: Correction) -> list[str]:
    """What is corrected of one weight format under one version of the engine."""
    release = f" of {stack.engine_version}" if stack.engine_version else ""
    return [
        f"  step {_step(stack, correction)}",
        f"  first token{release}: {_first_token(stack.first_token)}",
    ]


def _step(stack: StackFactors, correction: Correction) -> str:
    release = f" of {stack.engine_version}" if stack.engine_version else ""
    kind = f"with {stack.weights} weights{release}"
    if stack.step == correction.prefill_factor == 1.0:
        return f"{kind}: {_AS_PREDICTED}"
    return f"× {stack.step:.2f} {kind}; prefill × {correction.prefill_factor:.2f}"


def _first_token(factors: FirstTokenFactors | None) -> str:
    if factors is None:
        return _AS_PREDICTED
    return (
        f"host time and steps × {factors.fixed:.2f}, own prefill × {factors.own_prefill:.2f}, "
        f"burst of the start × {factors.burst:.2f}"
        + (f"; {factors.waiting_clients:.1f} clients wait for another's answer" if factors.waiting_clients else "")
    )


def _change(change: Change) -> str:
    return f"{change.before:.3f} → {change.after:.3f}"


def _interval(deviation: float) -> str:
    return f"{math.exp(INTERVAL_DEVIATIONS * deviation):.2f}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"
