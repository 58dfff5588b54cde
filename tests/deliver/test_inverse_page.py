"""The page of `roofplan inverse` and the line of `solve`, from numbers that are invented."""

import pytest

from optimizer.deliver.console import render
from optimizer.deliver.inverse_page import render_inverse
from optimizer.deliver.inverse_sections import best_count, break_even, enough, just_enough, nearly
from optimizer.deliver.page import Section
from optimizer.outcome import (
    CountOut,
    FormatsOut,
    JointPoint,
    Lack,
    LayoutOut,
    MinimumHardware,
    Outcome,
    PartNumbers,
    Rented,
    RivalOut,
)
from requirements_specs.serving import ServingSpec

TP4 = LayoutOut(tp=4, pp=1, ep=1, dp_attention=1)


def numbers(share: float, *, links: bool = True) -> PartNumbers:
    return PartNumbers(
        memory_bytes=share * 85.9e9,
        memory_bandwidth_bytes_per_s=share * 3.35e12,
        compute_flop_per_s=share * 1.979e15,
        link_bytes_per_s=share * 450e9 if links else None,
    )


def rival(
    name: str,
    *,
    evidence: str = "measured",
    covers: bool = False,
    meets: bool = False,
    has: float | None = None,
    listed: float | None = None,
    rented: bool = True,
) -> RivalOut:
    """A part that has `has` of one TB/s of memory bandwidth, if that is less."""
    lack = Lack(resource="memory-bandwidth", has=(has or 0.0) * 1e12, needs=1e12)
    return RivalOut(
        accelerator=name,
        evidence=evidence,
        numbers=numbers(0.9),
        covers=covers,
        meets=meets,
        lacks=() if has is None else (lack,),
        rented=Rented(
            accelerators=16,
            instances=2,
            accelerators_per_instance=8,
            layout=TP4,
            formats=FormatsOut(weights="fp8", activations="fp8", kv="bf16"),
            break_even_usd_per_hour_per_accelerator=1.5,
            break_even_usd_per_hour_per_instance=12.0,
            listed_usd_per_hour_per_instance=listed,
        )
        if rented
        else None,
        refusal=None if rented else "the part cannot run the formats",
    )


@pytest.fixture
def hardware() -> MinimumHardware:
    return MinimumHardware(
        accelerator="h100-sxm-80gb",
        accelerators=16,
        accelerators_per_replica=4,
        precision="fp8",
        part=numbers(1.0),
        alone=numbers(0.5),
        joint=(JointPoint(least=None, needs=numbers(0.8)), JointPoint(least="network", needs=numbers(0.9))),
        best_count=(CountOut(accelerators=8, replicas=2, accelerators_per_replica=4, layout=TP4, needs=numbers(1.6)),),
        parts=(
            rival("above", covers=True, meets=True, listed=16.0),
            rival("efficient", meets=True, has=0.9),
            rival("slow", evidence="class", covers=True),
            rival("near", has=0.864, listed=13.0),
            rival("far", has=0.2, rented=False),
        ),
    )


def text(section: Section) -> list[str]:
    return [line.plain for line in section.lines]


def test_the_line_of_solve(hardware: MinimumHardware) -> None:
    expected = "43 GB, 1.68 TB/s, 990 TFLOP/s fp8, 225 GB/s links per accelerator, each alone"
    assert text(just_enough(hardware)) == [expected]
    single = hardware.model_copy(update={"alone": numbers(0.5, links=False)})
    assert "links" not in text(just_enough(single))[0]
    assert text(just_enough(None)) == []


def test_the_report_of_solve_shows_it(solved: Outcome, chat: ServingSpec, hardware: MinimumHardware) -> None:
    outcome = solved.model_copy(update={"minimum_hardware": hardware})
    lines = render(outcome, chat, "chat.yaml").plain.splitlines()
    assert len(lines) <= 30
    assert [line for line in lines if line.startswith("Enough    43 GB")]


def test_the_page(solved: Outcome, hardware: MinimumHardware) -> None:
    assert solved.design is not None
    assert solved.cost is not None
    lines = render_inverse(hardware, solved.design, solved.cost, "my chat.yaml").plain.splitlines()
    assert lines[0] == ("Just enough hardware in place of 2 × 8 h100-sxm-80gb as 4 replicas of TP4 at $47.84/h")
    assert lines[-1] == "Next      roofplan inverse 'my chat.yaml' --json"
    assert [line.split()[0] for line in lines if line and not line.startswith(" ")] == [
        "Just", "Needs", "Or", "Also", "Nearly", "Prices", "Next",
    ]  # fmt: skip
    assert len(lines) <= 30


def test_counts(hardware: MinimumHardware) -> None:
    assert text(best_count(hardware))[1].split() == [
        "8", "as", "2", "replicas", "of", "TP4", "137", "GB", "5.36", "TB/s", "720", "GB/s", "3.17", "PFLOP/s",
    ]  # fmt: skip


def test_a_full_page_has_30_lines(solved: Outcome, hardware: MinimumHardware) -> None:
    assert solved.design is not None
    assert solved.cost is not None
    many = hardware.model_copy(
        update={
            "joint": tuple(
                JointPoint(least=least, needs=numbers(0.9))
                for least in (None, "memory-capacity", "memory-bandwidth", "network", "compute")
            ),
            "best_count": 9 * hardware.best_count,
            "parts": 9 * hardware.parts,
        }
    )
    lines = render_inverse(many, solved.design, solved.cost, "chat.yaml").plain.splitlines()
    assert len(lines) == 30
    assert sum("(+4 with --json)" in line for line in lines) == 1


def test_parts_that_are_enough_in_numbers_in_use_or_in_both(hardware: MinimumHardware) -> None:
    assert " ".join(text(enough(hardware))) == (
        "above; with lower numbers but faster kernels or links in use: efficient; "
        "high enough numbers, but not fast enough in use: slow (class)"
    )
    none = hardware.model_copy(update={"parts": ()})
    assert text(enough(none)) == ["no other part in this layout and number"]


def test_parts_that_nearly_are_say_what_they_lack(hardware: MinimumHardware) -> None:
    assert text(nearly(hardware)) == ["near: 864 GB/s of 1 TB/s bandwidth"]
    assert text(nearly(hardware.model_copy(update={"parts": ()}))) == ["no other part has half of every number"]


def test_prices_come_with_the_part_nearest_to_its_break_even_first(hardware: MinimumHardware) -> None:
    lines = text(break_even(hardware))
    assert [line.split()[0] for line in lines] == ["part", "near", "above", "efficient", "slow", "1"]
    assert lines[1].split() == ["near", "2", "×", "8", "fp8", "TP4", "$1.50/h", "each", "$1.62/h"]
    assert lines[3].endswith("–")
    assert lines[-1] == "1 part would do in no number (with --json)"
    none = hardware.model_copy(update={"parts": ()})
    assert text(break_even(none)) == ["no other part meets the requirements"]
