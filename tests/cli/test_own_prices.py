"""Bad prices end a solve with exit code 2, the place, and what is allowed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Ran

Run = Callable[..., Ran]
SpecFile = Callable[[str, str], Path]
HEADER = "provider,instance,usd_per_hour,date,currency"


@pytest.mark.parametrize(
    ("row", "place", "nearest"),
    [
        ("lambda,gpu_8x_h100_sxm6,20,2026-11-01,USD", "instance: unknown instance", "did you mean: gpu_8x_h100_sxm5"),
        ("lambda,gpu_8x_h100_sxm5,-20,2026-11-01,USD", "usd_per_hour: a price is more than nothing", "such as 2.49"),
        ("lambda,gpu_8x_h100_sxm5,20,2026-11-01,EUR", "currency: prices are in US dollars", "allowed: USD"),
        ("lambda,gpu_8x_h100_sxm5,20,,USD", "date: a price without a date", "as YYYY-MM-DD"),
    ],
)
def test_a_bad_row_is_bad_input(
    run: Run, spec_file: SpecFile, tmp_path: Path, row: str, place: str, nearest: str
) -> None:
    prices = tmp_path / "own.csv"
    prices.write_text(f"{HEADER}\n{row}\n", encoding="utf-8")
    ran = run("solve", str(spec_file("[lambda, runpod]", "[lambda, runpod]\n  prices: own.csv")))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"{prices}:2: {place}")
    assert nearest in ran.err


@pytest.mark.parametrize(
    ("key", "place", "nearest"),
    [
        ("discounts: {lambda: 120 %}", ":13:23: inventory.discounts.lambda: out of range", "less than 100 %"),
        ("discounts: {lamda: 20 %}", ":13:15: inventory.discounts.lamda: unknown provider", "did you mean: lambda"),
        ("prices: none.csv", ":13:3: inventory.prices: ", "cannot be read: No such file or directory"),
        (
            "owned: {accelerator: h100, accelerators: 8, machines: 0, usd_per_hour: $9/h}",
            ":13:57: inventory.owned.machines: not a possible count",
            "a whole number, at least 1",
        ),
        (
            "owned: {accelerator: h100-sxm-81gb, accelerators: 8, machines: 1, usd_per_hour: $9/h}",
            ":13:24: inventory.owned.accelerator: unknown accelerator",
            "did you mean: h100-sxm-80gb",
        ),
    ],
)
def test_a_bad_key_is_bad_input(run: Run, spec_file: SpecFile, key: str, place: str, nearest: str) -> None:
    path = spec_file("[lambda, runpod]", f"[lambda, runpod]\n  {key}")
    ran = run("solve", str(path))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"{path}{place}")
    assert nearest in ran.err
