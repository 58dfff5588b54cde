"""A length in one of its forms -> a distribution."""

from functools import partial

from requirements_specs import convert
from requirements_specs.errors import LengthError
from requirements_specs.keys import LENGTH_STATISTICS, NAMED_WORKLOADS, joined
from requirements_specs.known import resolve
from requirements_specs.lengths import LengthDistribution
from requirements_specs.quantity import Dimension
from requirements_specs.section import Findings, Section
from requirements_specs.source import Items, Mapping, Scalar

LENGTH_FORMS = "512 tokens; {mean: 512 tokens, p99: 1500 tokens}; a list of {tokens: 512, share: 20 %}; or azure-conv"
_ROW_KEYS = ("tokens", "share")


def read_lengths(section: Section, path: str, key: str, findings: Findings) -> LengthDistribution | None:
    """Return the distribution under `key` of the section `path`: a constant, a name, statistics, or a histogram."""
    node = section.node(key)
    if node is None:
        return None
    full = joined(path, key)
    if isinstance(node, Scalar):
        if _is_name(node.text):
            return section.convert(node, full, partial(_named, key=key, full=full, findings=findings))
        return section.convert(node, full, _constant)
    if isinstance(node, Items):
        return _histogram(node, full, section, findings)
    statistics = section.section(key, LENGTH_STATISTICS)
    return None if statistics is None else _statistics(statistics, full, findings)


def _is_name(text: str) -> bool:
    return text.replace("-", "").replace("_", "").isalpha()


def _named(text: str, *, key: str, full: str, findings: Findings) -> LengthDistribution:
    """Return the lengths of a named workload; where they come from is noted."""
    name = resolve(text, frozenset(NAMED_WORKLOADS), "workload")
    from requirements_specs.named_workloads import named_workloads  # here, so that only a spec with a name reads them

    workload = named_workloads()[name]
    findings.assume(full, name, workload.origin)
    return workload.lengths(key)


def _constant(text: str) -> LengthDistribution:
    return LengthDistribution.constant(convert.length(text))


def _statistics(section: Section, path: str, findings: Findings) -> LengthDistribution | None:
    before = len(findings.problems)
    given = {key: section.value(key, convert.length) for key in LENGTH_STATISTICS}
    if len(findings.problems) > before:
        return None
    try:
        return LengthDistribution.from_statistics(**given)
    except LengthError as error:
        if error.part is None:
            section.refuse(error.what, read=error.read, allowed=error.allowed)
        else:
            findings.refuse(
                section.mark(error.part), joined(path, error.part), error.what, read=error.read, allowed=error.allowed
            )
        return None


def _histogram(node: Items, path: str, section: Section, findings: Findings) -> LengthDistribution | None:
    tokens: list[float] = []
    shares: list[float] = []
    for index, row in enumerate(node.values):
        row_path = f"{path}[{index}]"
        if not isinstance(row, Mapping):
            findings.refuse(row.mark, row_path, "a row of a histogram is needed", allowed="{tokens: 512, share: 20 %}")
            continue
        keys = Section(findings, row, row_path, mark=row.mark, keys=_ROW_KEYS)
        keys.require(tokens="512", share="20 %")
        length = keys.value("tokens", convert.token_count)
        share = keys.value("share", convert.quantity(Dimension.SHARE, above=0.0, at_most=1.0))
        if length is not None and share is not None:
            tokens.append(length)
            shares.append(share)
    if len(tokens) < len(node.values):
        return None
    try:
        return LengthDistribution.histogram(tokens, shares)
    except LengthError as error:
        findings.refuse(section.mark(path.rsplit(".", 1)[-1]), path, error.what, read=error.read, allowed=error.allowed)
        return None
