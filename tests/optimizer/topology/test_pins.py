import pytest

from catalog.read import load
from optimizer.errors import QuestionError
from optimizer.topology.layouts import layouts_of, model_refusal
from optimizer.topology.pins import refuse_impossible_pins
from requirements_specs.serving import IntegerChoice, Layout

MODELS = load().models


def pin(*values: int) -> IntegerChoice:
    return IntegerChoice(values=values)


@pytest.mark.parametrize(
    ("model", "pins", "said"),
    [
        (
            "llama-3.1-70b",
            Layout(tp=pin(3)),
            ["layout.tp", "64 heads and 8 KV heads do not divide over 3 ranks", "read: 3", "did you mean: 2 or 4"],
        ),
        ("llama-3.1-70b", Layout(tp=pin(32)), ["layout.tp", "powers of two", "did you mean: 8 or 16"]),
        ("llama-3.1-70b", Layout(ep=pin(8)), ["layout.ep", "allowed: 1\n"]),
        ("llama-3.1-70b", Layout(pp=pin(3)), ["layout.pp", "allowed: 1, 2, 4, 8", "did you mean: 2 or 4"]),
        ("llama-3.1-70b", Layout(accelerators_per_replica=pin(12)), ["accelerators_per_replica", "8 or 16"]),
        ("llama-3.1-70b", Layout(tp=IntegerChoice(least=17)), ["layout.tp", "read: 17"]),
        ("qwen2.5-7b", Layout(tp=pin(8)), ["28 heads and 4 KV heads do not divide over 8 ranks"]),
    ],
)
def test_a_pin_that_nothing_meets_is_refused_with_the_nearest(model: str, pins: Layout, said: list[str]) -> None:
    with pytest.raises(QuestionError) as error:
        refuse_impossible_pins(MODELS[model], pins)
    for part in said:
        assert part in str(error.value)


@pytest.mark.parametrize("model", ["llama-3.1-70b", "deepseek-v3", "qwen2.5-7b", "falcon-7b"])
def test_whatever_a_legal_layout_has_may_be_pinned(model: str) -> None:
    legal = [layout for layout in layouts_of(MODELS[model]) if model_refusal(MODELS[model], layout) is None]
    assert legal
    for layout in legal:
        refuse_impossible_pins(
            MODELS[model],
            Layout(tp=pin(3, layout.tp), pp=pin(layout.pp), ep=pin(layout.ep), dp_attention=pin(layout.dp_attention)),
        )
    refuse_impossible_pins(MODELS[model], Layout())
