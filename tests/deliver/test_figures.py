import pytest

from optimizer.deliver.figures import (
    BAR_CELLS,
    bar,
    data,
    dollars,
    duration,
    flops,
    gigabytes,
    long_duration,
    percent,
    request_rate,
    signed_percent,
)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (duration(0.18744), "187 ms"),
        (duration(12.0449), "12 s"),
        (duration(0.00042), "420 us"),
        (long_duration(37_044.0), "10.3 h"),
        (long_duration(43_200.0), "12 h"),
        (long_duration(330.0), "5.5 min"),
        (long_duration(12.0449), "12 s"),
        (data(66.44e9), "66.4 GB"),
        (data(80 * 2**30), "80 GiB"),
        (gigabytes(80 * 2**30), "85.9 GB"),
        (flops(3.5211e15), "3.52 PFLOP/s"),
        (flops(9.89e14), "989 TFLOP/s"),
        (flops(2.5e3), "2.5e+03 FLOP/s"),
        (request_rate(13.08), "13.1 req/s"),
        (dollars(34_923.2), "$34,923.20"),
        (dollars(47.84), "$47.84"),
        (dollars(0.06361), "$0.0636"),
        (dollars(0.0), "$0.00"),
        (dollars(-8.5), "-$8.50"),
        (percent(0.834), "83 %"),
        (percent(0.0612), "6.1 %"),
        (percent(0.0996), "10 %"),
        (percent(1.0), "100 %"),
        (signed_percent(-0.2), "−20 %"),
        (signed_percent(0.061), "+6.1 %"),
    ],
)
def test_numbers_are_written_for_people(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    ("share", "filled"), [(0.0, 0), (0.001, 1), (0.5, BAR_CELLS // 2), (1.0, BAR_CELLS), (1.7, BAR_CELLS)]
)
def test_a_bar_is_filled_to_its_share_and_never_longer(share: float, filled: int) -> None:
    drawn = bar(share)
    assert len(drawn) == BAR_CELLS
    assert drawn.count("█") == filled
