"""The two renderers of a score, its plots, and the document that is shipped."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from catalog.read import load
from optimizer.calibration.score import constants, document, kernels
from optimizer.calibration.score.render import markdown, text
from optimizer.calibration.score.scatter import FEWEST_IN_A_BIN, binned, svg
from optimizer.calibration.score.sections import (
    Line,
    Pair,
    Plot,
    Point,
    Section,
    Table,
    agreement_line,
    agreement_table,
    table_by,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "accuracy.md"
# Exactly right, a factor e too high, a quarter too low, and refused.
PAIRS = (Pair(1.0, 1.0), Pair(2.718281828, 1.0), Pair(0.75, 1.0), Pair(None, 1.0))


def made_up(largest_median: float | None = 0.3) -> Section:
    return Section(
        "made-up runs",
        "of nothing",
        (
            agreement_table("metric", (agreement_line("TPOT", PAIRS, largest_median),)),
            Table("share", ("runs", "share"), (Line("predicted", ("3", "75 %"), "≥ 98 %", met=True),)),
        ),
        remarks=("not predicted: d",),
        causes=("nobody knows",),
        plot=Plot("made_up", "TPOT, ms", (Point("a|b", 1.0, 1.0), Point("<c>", 10.0, 20.0))),
    )


def test_a_line_has_the_quantiles_and_what_was_refused() -> None:
    line = agreement_line("TPOT", PAIRS, 0.3)
    # sizes 0, 0.288, 1; the ninth decile lies four fifths of the way from the second to the third
    assert line.figures == ("0.288", "0.858", "+0.000", "4", "1")
    assert (line.bar, line.met) == ("median ≤ 0.3", True)
    assert not agreement_line("TPOT", PAIRS, 0.28).met
    assert agreement_line("TPOT", PAIRS).bar == ""
    with pytest.raises(ValueError, match="no case was predicted"):
        agreement_line("TPOT", PAIRS[3:])


def test_markdown_of_a_section() -> None:
    assert markdown(made_up(), "plots") == (
        "## made-up runs\n\nOf nothing.\n\n**Every bar met.**\n\n"
        "| metric | median | p90 | bias | rows | not predicted | bar |\n"
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        "| TPOT | 0.288 | 0.858 | +0.000 | 4 | 1 | median ≤ 0.3 |\n\n"
        "| share | runs | share | bar |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| predicted | 3 | 75 % | ≥ 98 % |\n\n"
        "![TPOT, ms, predicted against measured](plots/made_up.svg)\n\n"
        "- not predicted: d\n\n"
        "What is known of the errors:\n\n- nobody knows\n"
    )


def test_a_missed_bar_is_said_by_both() -> None:
    section = made_up(0.28)
    assert not section.met
    assert text(section).endswith("  A BAR IS MISSED\n")
    assert "| median ≤ 0.28: missed |" in markdown(section, "plots")
    assert "**A bar is missed.**" in markdown(section, "plots")
    assert "Bars are missed in: made-up runs." in document.document([section], "plots")
    assert "Every bar is met." in document.document([made_up()], "plots")


def test_both_print_every_figure() -> None:
    section = made_up()
    for rendered in (text(section), markdown(section, "plots")):
        for table in section.tables:
            for line in table.lines:
                assert all(cell in rendered for cell in (line.name, *line.figures, line.bar))


def test_a_section_without_bars_claims_none() -> None:
    section = kernels.section(load())
    assert section.met
    assert "bar met" not in text(section)
    assert "bar met" not in markdown(section, "plots")


def test_groups_are_in_the_order_of_their_ranks_and_refused_ones_are_left_out() -> None:
    table = table_by("by", (10, 2, 10, 7), PAIRS, lambda case: (case, f"{case} clients"))
    assert [(line.name, line.figures[3]) for line in table.lines] == [("2 clients", "1"), ("10 clients", "2")]


def test_a_plot_is_the_same_bytes_and_shows_every_point() -> None:
    plot = made_up().plot
    assert plot is not None
    drawn = svg(plot)
    assert drawn == svg(Plot(plot.name, plot.quantity, tuple(reversed(plot.points))))
    root = ElementTree.fromstring(drawn)
    circles = root.findall("{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 2 + 2  # the points and the legend
    # 1 to 100 on a side of 320 from 52: a measured 10 is in its middle, a predicted 20 a little above it
    assert ("212.0", "163.8") in {(circle.get("cx"), circle.get("cy")) for circle in circles}
    with pytest.raises(ValueError, match="no points"):
        svg(Plot("none", "s", ()))


def test_a_plot_never_shows_a_single_run() -> None:
    alike = [Point("a", 10.0 + step / 10.0, 10.0) for step in range(FEWEST_IN_A_BIN)]
    assert binned(alike[1:]) == ()
    (point,) = binned([*alike, Point("a", 99.0, 99.0), Point("b", 10.0, 10.0)])
    assert point == Point("a", pytest.approx(10.1), pytest.approx(10.0))


def test_the_document_and_its_plots_are_written_together(tmp_path: Path) -> None:
    document.write([made_up()], tmp_path / "accuracy.md")
    assert (tmp_path / "accuracy.md").read_text(encoding="utf-8").startswith("# Accuracy\n")
    assert "(accuracy/made_up.svg)" in (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    assert (tmp_path / "accuracy" / "made_up.svg").read_text(encoding="utf-8") == svg(made_up().plot)  # type: ignore[arg-type]


def test_the_shipped_document_names_every_section_and_has_its_plots() -> None:
    shipped = DOCUMENT.read_text(encoding="utf-8")
    for heading in (
        "Constants",
        "Kernels of PyTorch on one GPU",
        "silicon_sample_public.csv",
        "Choosing by prediction",
        "trtllm_perf_overview_inflight.csv",
        "argonne_llm_inference_bench.csv",
        "splitwise_profile_a100_h100.csv",
        "Calibration",
        "Engine eras, leave-one-model-out",
        "How to reproduce",
    ):
        assert f"\n## {heading}\n" in shipped
    plots = sorted(path.name for path in DOCUMENT.with_suffix("").glob("*.svg"))
    assert plots == ["closed_loops.svg", "offline_throughput.svg", "prefill_decode.svg", "static_batches.svg"]
    assert all(f"(accuracy/{name})" in shipped for name in plots)


def test_what_needs_no_measured_file_is_in_the_shipped_document_as_computed_now() -> None:
    shipped = DOCUMENT.read_text(encoding="utf-8")
    for section in (constants.section(load()), kernels.section(load())):
        assert markdown(section, "accuracy") in shipped


def test_what_an_era_takes_over_is_counted_once_and_priors_are_called_that() -> None:
    engines = load().engines
    figures = {line.name: line.figures for line in constants.section(load()).tables[0].lines}
    assert figures["steps and prefills of the current engine eras: round priors"] == ("3", "8")
    assert all(each.source.startswith("round priors for steps") for each in engines.values() if each.id == each.library)
    # four of a step, two more where kernels are launched one by one; all else is the current era's
    assert figures["engine era vllm-2023"] == ("1", "6")
    assert figures["engine era vllm-2024-rocm"] == ("1", "7")
    assert figures["engine era trtllm-0.14"] == ("1", "4")
