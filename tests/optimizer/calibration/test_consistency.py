import math

import pytest

from optimizer.calibration.consistency import checked
from optimizer.calibration.importers import BenchmarkResult, Latency, ResultError
from tests.optimizer.calibration.writers import run


def tpot_of(result: BenchmarkResult) -> float:
    assert result.tpot is not None
    return result.tpot.mean_s


def test_figures_that_agree_stay() -> None:
    assert checked(run()) == run()


@pytest.mark.parametrize("reported", [0.5, 0.8, 1.2, 2.9])
def test_a_tpot_that_disagrees_is_recomputed_and_marked_with_the_ratio(reported: float) -> None:
    found = checked(run(tpot_s=0.010).model_copy(update={"tpot": Latency(mean_s=0.010 * reported)}))
    assert tpot_of(found) == pytest.approx(0.010)
    assert found.notes == (
        f"tpot recomputed from e2e and ttft: {1 / reported:.2f} × the {10 * reported:.3g} ms in the file",
    )


@pytest.mark.parametrize("reported", [0.3, 3.1])
def test_beyond_three_times_nothing_is_believed(reported: float) -> None:
    with pytest.raises(ResultError, match="made up: e2e, ttft and tpot contradict each other"):
        checked(run(tpot_s=0.010).model_copy(update={"tpot": Latency(mean_s=0.010 * reported)}))


def test_a_missing_tpot_is_taken_from_e2e_and_a_missing_e2e_leaves_tpot() -> None:
    assert tpot_of(checked(run(tpot_s=0.012).model_copy(update={"tpot": None}))) == pytest.approx(0.012)
    assert tpot_of(checked(run(tpot_s=0.012).model_copy(update={"e2e": None}))) == 0.012
    with pytest.raises(ResultError, match="neither a time per output token nor an end-to-end latency"):
        checked(run().model_copy(update={"tpot": None, "e2e": None}))


def test_failures_up_to_one_percent_are_accepted() -> None:
    checked(run(requests=990, failed=10))
    with pytest.raises(ResultError, match=r"11 of 1000 requests failed \(1\.1%; at most 1%\)"):
        checked(run(requests=989, failed=11))
    with pytest.raises(ResultError, match="no request was completed"):
        checked(run().model_copy(update={"requests": 0}))
    with pytest.raises(ResultError, match="no request was completed"):
        checked(run(failed=9).model_copy(update={"requests": -9}))


@pytest.mark.parametrize("value", [0.0, -0.1, math.inf, math.nan])
def test_times_that_cannot_be_are_refused(value: float) -> None:
    with pytest.raises(ResultError, match=r"made up: ttft mean is"):
        checked(run().model_copy(update={"ttft": Latency(mean_s=value)}))


@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan])
def test_percentiles_that_cannot_be_are_refused_and_zero_is_not(value: float) -> None:
    with pytest.raises(ResultError, match=r"made up: tpot p99 is"):
        checked(run().model_copy(update={"tpot": Latency(mean_s=0.011, p99_s=value)}))
    checked(run().model_copy(update={"tpot": Latency(mean_s=0.011, p50_s=0.0)}))


def test_an_answer_of_one_token_and_an_e2e_before_the_first_token_are_refused() -> None:
    with pytest.raises(ResultError, match="outputs of 1 tokens"):
        checked(run(output=1.0))
    with pytest.raises(ResultError, match="is not longer than mean ttft"):
        checked(run(ttft_s=0.08).model_copy(update={"e2e": Latency(mean_s=0.07)}))
