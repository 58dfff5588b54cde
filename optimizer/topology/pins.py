"""Pins of a layout that no layout of the model meets on any machine."""

from catalog.models import Model
from optimizer.errors import QuestionError
from optimizer.topology.layouts import ParallelLayout, layouts_of, model_refusal
from requirements_specs.serving import IntegerChoice, Layout

_AXES = ("tp", "pp", "ep", "dp_attention")


def refuse_impossible_pins(model: Model, pins: Layout) -> None:
    """Do nothing if every pin, taken alone, is met by some layout of the model.

    Raises:
        QuestionError: one is not; with the numbers that are possible and the nearest of them.

    """
    legal = [layout for layout in layouts_of(model) if model_refusal(model, layout) is None]
    possible = {axis: sorted({getattr(layout, axis) for layout in legal}) for axis in _AXES}
    possible["accelerators_per_replica"] = sorted({layout.accelerators for layout in legal})
    for axis, numbers in possible.items():
        choice = getattr(pins, axis)
        if choice is None or any(choice.allows(number) for number in numbers):
            continue
        wanted = choice.values or (choice.least,)
        near = sorted(numbers, key=lambda number: (min(abs(number - each) for each in wanted), number))[:2]
        raise QuestionError(
            f"layout.{axis}: no layout of {model.id} has this{_reason(model, axis, choice)}\n"
            f"    read: {', '.join(map(str, wanted))}\n"
            f"    allowed: {', '.join(map(str, numbers))}\n"
            f"    did you mean: {' or '.join(map(str, sorted(near)))}"
        )


def _reason(model: Model, axis: str, choice: IntegerChoice) -> str:
    """Why a number of tensor-parallel ranks does not suit the model; nothing for the other axes."""
    if axis != "tp" or choice.values is None:
        return ""
    if model_refusal(model, ParallelLayout(choice.values[0], 1, 1, 1)) is None:
        return ", as engines split in powers of two"
    heads = f"{model.heads} heads" + (f" and {model.kv_heads} KV heads" if model.kv_heads != model.heads else "")
    return f": {heads} do not divide over {choice.values[0]} ranks"
