"""How a test reads a report."""

from optimizer.deliver.page import PAGE_LINES, PAGE_WIDTH


def section(report: str, label: str) -> str:
    """The text of one section on one line."""
    lines = report.split("\n")
    start = next(index for index, line in enumerate(lines) if line.startswith(f"{label} "))
    rest = lines[start + 1 :]
    more = next((index for index, line in enumerate(rest) if not line.startswith(" ")), len(rest))
    return " ".join(line[10:] for line in [lines[start], *rest[:more]])


def assert_fits(report: str) -> None:
    lines = report.split("\n")
    assert len(lines) <= PAGE_LINES
    assert max(len(line) for line in lines) <= PAGE_WIDTH
    assert all(line == line.rstrip() for line in lines)
