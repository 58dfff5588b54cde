from dataclasses import replace

import pytest

from catalog.read import load
from optimizer.calibration.decisions import decide, usd_per_hour_per_accelerator
from optimizer.calibration.silicon import PredictionCase
from optimizer.predict.file import PredictedRow, predict_rows

CASE = PredictionCase(
    case_id="", model="llama-3.1-8b", accelerator="h100-sxm-80gb", accelerators=1, engine="vllm",
    engine_version="0.12.0", tp=1, pp=1, ep=1, dp_attention=1, weights_format="bf16", activations_format="bf16",
    kv_format="bf16", prompt_tokens=1024.0, output_tokens=512.0, concurrency=8.0, measured_ttft_s=1.0,
    measured_tpot_s=1.0,
)  # fmt: skip


def measured_as_predicted() -> tuple[list[PredictionCase], list[PredictedRow]]:
    """Eight runs on two layouts that measured exactly what is predicted."""
    asked = [
        replace(CASE, case_id=f"{tp} {clients}", tp=tp, accelerators=tp, concurrency=float(clients))
        for tp in (1, 2)
        for clients in (1, 4, 16, 64)
    ]
    rows = predict_rows([case.cells for case in asked], load())
    cases = [
        replace(
            case,
            measured_ttft_s=float(row.figures["ttft_mean_s"]),
            measured_tpot_s=float(row.figures["tpot_mean_s"]),
        )
        for case, row in zip(asked, rows, strict=True)
    ]
    return cases, rows


def test_true_predictions_have_no_regret() -> None:
    cases, rows = measured_as_predicted()
    found = decide(cases, rows, load(), risk=0.5)
    assert found.met == 1.0
    assert found.regret == pytest.approx(0.0, abs=1e-9)
    assert found.choices


def test_safety_costs_and_a_hopeful_choice_misses() -> None:
    cases, rows = measured_as_predicted()
    safe = decide(cases, rows, load(), risk=0.1)
    assert safe.met == 1.0
    assert safe.regret > 0.0
    slower = [replace(case, measured_tpot_s=1.2 * case.measured_tpot_s) for case in cases]
    hopeful, careful = (decide(slower, rows, load(), risk) for risk in (0.5, 0.1))
    assert hopeful.met < 1.0
    assert careful.met == 1.0
    low, high = hopeful.met_interval
    assert low <= hopeful.met <= high


def test_the_best_is_the_cheapest_that_measured_within_the_limit_and_says_what_was_predicted_of_it() -> None:
    cases, rows = measured_as_predicted()
    prices = usd_per_hour_per_accelerator(load())
    for choice in decide(cases, rows, load(), risk=0.5).choices:
        within = [case for case in cases if case.measured_tpot_s <= choice.limit_s]
        assert choice.best in within
        dollars = {
            case.case_id: prices[case.accelerator] * case.accelerators / case.measured_tokens_per_s for case in within
        }
        assert dollars[choice.best.case_id] == min(dollars.values())
        assert choice.best_tpot_s == pytest.approx(choice.best.measured_tpot_s)  # they measured what is predicted
    for choice in decide(cases, rows, load(), risk=0.1).choices:
        assert choice.best_tpot_s > choice.best.measured_tpot_s


def test_small_groups_and_groups_of_one_price_are_not_scored() -> None:
    cases, rows = measured_as_predicted()
    with pytest.raises(ValueError, match="no group"):
        decide(cases[:7], rows[:7], load(), risk=0.5)
    one_price = [case for case in cases if case.tp == 1] * 2
    with pytest.raises(ValueError, match="no group"):
        decide(one_price, [row for case, row in zip(cases, rows, strict=True) if case.tp == 1] * 2, load(), risk=0.5)


def test_prices_are_of_those_who_rent_accelerators() -> None:
    prices = usd_per_hour_per_accelerator(load())
    cheapest = min(
        offer.usd_micro_per_hour / offer.accelerators / 1e6
        for offer in load().offers
        if offer.accelerator == "h100-sxm-80gb" and offer.tier == "on_demand" and offer.price_date is not None
    )
    assert prices["h100-sxm-80gb"] >= cheapest
    assert prices["h100-sxm-80gb"] < prices["b200-sxm-180gb"]
