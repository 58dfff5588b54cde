"""The page of `roofplan mechanisms`, from numbers that are invented."""

import pytest

from optimizer.deliver.mechanisms_page import render_mechanisms
from optimizer.outcome import (
    BatchOut,
    Mechanism,
    MechanismFigures,
    MechanismOut,
    MechanismsOut,
    Outcome,
    ResolvedOut,
    SettingOut,
    SpeculationOut,
    Worth,
)

FIGURES = MechanismFigures(highest_rate_per_s=8.0, ttft_p99_s=0.1, tpot_p99_s=0.01)
NOTHING = MechanismFigures(highest_rate_per_s=0.0, ttft_p99_s=None, tpot_p99_s=None)


def choice(
    worth: Worth, gain: float | None, *, off: MechanismFigures | None = FIGURES, reason: str = "because"
) -> MechanismOut:
    return MechanismOut(
        mechanism=Mechanism.FP8_KV,
        in_use=True,
        off=SettingOut(name="bf16 KV", figures=off),
        on=SettingOut(name="fp8 KV", figures=FIGURES),
        worth=worth,
        gain=gain,
        reason=reason,
        resolved=ResolvedOut(requirement="formats.kv", to="[bf16]", usd_per_hour=None),
    )


def speculation(acceptance: float | None) -> SpeculationOut:
    known = acceptance is not None
    batches = [
        BatchOut(
            sequences=each,
            verify_steps=each,
            acceptance_needed=None if each > 5 else 0.1,
            speed_up=1.5 if known else None,
        )
        for each in (3.2, 1, 4, 16, 64, 256, 1024)
    ]
    return SpeculationOut(
        drafted=4,
        acceptance=acceptance,
        draft_cost=0.1 if known else None,
        kept_tokens=3.0 if known else None,
        running=batches[0],
        curve=tuple(batches[1:]),
        most_sequences=1024,
        null_move=False if known else None,
        null_from=None,
    )


def page(solved: Outcome, *choices: MechanismOut, acceptance: float | None = None) -> list[str]:
    shown = MechanismsOut(request_rate_per_s=6.0, choices=choices, speculation=speculation(acceptance))
    assert solved.design is not None
    assert solved.cost is not None
    return render_mechanisms(shown, solved.design, solved.cost, "roofplan mechanisms x.yaml").plain.splitlines()


@pytest.mark.parametrize(
    ("worth", "gain", "printed"),
    [
        (Worth.GAINS, 0.123, "+12 %"),
        (Worth.LOSES, -0.036, "−3.6 %"),
        (Worth.NOTHING, 0.0004, "0 %"),
        (Worth.NEEDED, None, "needed"),
        (Worth.NOT_OFFERED, 0.0, "0 %, not offered"),
        (Worth.NOT_STATED, 0.0, "0 %, not stated"),
    ],
)
def test_what_it_is_worth_stands_at_the_end_of_the_line(
    solved: Outcome, worth: Worth, gain: float | None, printed: str
) -> None:
    lines = page(solved, choice(worth, gain))
    (on,) = (line for line in lines if line.startswith("          on "))
    assert on.endswith(f"10 ms   {printed}")
    assert "◄ design" in on


def test_overload_and_nothing_that_meets_it_are_told(solved: Outcome) -> None:
    text = "\n".join(page(solved, choice(Worth.NEEDED, None, off=NOTHING)))
    assert "0 req/s  overload  overload" in text
    assert "because; solved with formats.kv: [bf16]: nothing" in text


def test_long_reasons_do_not_break_the_page(solved: Outcome) -> None:
    lines = page(solved, *(choice(Worth.GAINS, 0.1, reason="word " * 80) for _ in range(5)))
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 100


def test_batches_show_what_must_be_accepted_or_what_is_gained(solved: Outcome) -> None:
    needed = page(solved)
    gained = page(solved, acceptance=0.8)
    assert any("accepted, to be no slower" in line and line.endswith("never") for line in needed)
    assert any("times as fast with drafts" in line and line.endswith("1.50") for line in gained)
