"""`inventory.prices` and `inventory.discounts` -> the user's own prices."""

import re
from hashlib import sha256
from pathlib import Path

from requirements_specs import convert
from requirements_specs.errors import Mark, Problem, UnreadableSpecError, ValueProblem
from requirements_specs.known import KnownNames, resolve
from requirements_specs.prices import Discount, PriceFile
from requirements_specs.quantity import Dimension
from requirements_specs.section import Findings, Section
from requirements_specs.source import Mapping, decoded, read_bytes

_FILE = "a file of prices, prices.csv or {file: prices.csv, sha256: its hash}, beside the spec"


def read_prices(inventory: Section, findings: Findings, names: KnownNames) -> PriceFile | None:
    """Return the file under `inventory.prices`, `FILE.csv` or `{file: FILE.csv, sha256: …}`, beside the spec."""
    key, pinned = "inventory.prices", None
    if isinstance(inventory.node("prices"), Mapping):
        section = inventory.section("prices", ("file", "sha256"))
        if section is None:
            return None
        section.require(file="prices.csv")
        file, mark = section.value("file", convert.name), section.mark("file")
        pinned = section.value("sha256", _digest)
        if "sha256" in section and pinned is None:
            return None
    else:
        file, mark = inventory.value("prices", convert.name), inventory.mark("prices")
    if file is None:
        return None
    path = Path(findings.path).parent / file
    try:
        data = read_bytes(path, _FILE, "a file of at most 1 MB")
        digest = sha256(data).hexdigest()
        if pinned is not None and digest != pinned:
            what = f"{file} is not the file that sha256 pins"
            findings.refuse(mark, key, what, read=digest, allowed=pinned, fix=f"sha256: {digest}")
            return None
        text = decoded(data, path)
    except UnreadableSpecError as error:
        findings.problems += [_at(problem, findings.path, mark, key) for problem in error.problems]
        return None
    from requirements_specs.price_table import PriceTable  # here, so that a spec without prices does not pay for it

    table = PriceTable(path, names)
    prices = table.read(text)
    findings.problems += table.problems
    return None if table.problems else PriceFile(file=file, sha256=digest, prices=prices)


def _at(problem: Problem, spec: str, mark: Mark, key: str) -> Problem:
    """A problem of a whole file as one of the key that names it; one inside the file stays where it is."""
    if problem.mark is not None:
        return problem
    return Problem(spec, mark, key, f"{problem.path}: {problem.what}", read=problem.read, allowed=problem.allowed)


def read_discounts(inventory: Section, findings: Findings, names: KnownNames) -> tuple[Discount, ...]:
    """Return `inventory.discounts`, a share of the list price for each provider named."""
    node = inventory.node("discounts")
    if not isinstance(node, Mapping):
        inventory.section("discounts", ("aws", "azure", "gcp"))  # notes that providers are needed, if there is anything
        return ()
    found: dict[str, Discount] = {}
    for entry in node.entries:
        path = f"inventory.discounts.{entry.key.text}"
        try:
            provider = resolve(entry.key.text, names.providers, "provider")
        except ValueProblem as error:
            findings.refuse(entry.key.mark, path, error.what, read=entry.key.text, allowed=error.allowed, fix=error.fix)
            continue
        share = inventory.convert(entry.value, path, _share)
        if provider in found:
            findings.refuse(entry.key.mark, path, "given twice", read=entry.key.text, allowed="each provider once")
        if share is not None:
            source = f"{Path(findings.path).name}:{entry.key.mark.line}"
            found[provider] = Discount(provider=provider, share=share, source=source)
    return tuple(found.values())


def _share(text: str) -> float:
    """Return a share below the whole; a bare number above one may have lost its sign."""
    try:
        return convert.quantity(Dimension.SHARE, at_least=0.0, below=1.0)(text)
    except ValueProblem as error:
        percents = re.fullmatch(r"[1-9][0-9]?(?:\.[0-9]+)?", text)
        fix = error.fix if percents is None else f"{text} %"
        raise ValueProblem(error.what, read=error.read, allowed=error.allowed, fix=fix) from None


def _digest(text: str) -> str:
    if re.fullmatch(r"[0-9a-f]{64}", text) is None:
        raise ValueProblem("not a SHA-256", read=text, allowed="64 digits, 0 to 9 and a to f")
    return text
