"""A file of prices -> what each offer costs.

CSV in UTF-8 with a header. Columns: `offer` (an id), or `provider` and `instance` with, if wanted, `region` (empty:
every region) and `tier` (empty: on_demand); `usd_per_hour`, decimal dollars for a whole instance, rounded to the
nearest micro-dollar, half upwards; `date` as YYYY-MM-DD; if wanted `currency`, which must be USD, and `note`, which is
shown with the source.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from requirements_specs import convert
from requirements_specs.errors import Mark, Problem, ValueProblem
from requirements_specs.known import KnownNames, nearest, resolve
from requirements_specs.prices import MOST_USD_PER_HOUR, OfferPrice
from requirements_specs.quantity import nearest_micro_dollars

T = TypeVar("T")
PRICE_COLUMNS = ("offer", "provider", "instance", "region", "tier", "usd_per_hour", "date", "currency", "note")
_NEEDED = "offer (or provider, instance), usd_per_hour, date"
_ID_PARTS = ("provider", "instance", "region", "tier")
_DEFAULTS = {"tier": "on_demand"}
# A file that is wrong throughout needs no more to show it.
_MOST_PROBLEMS = 20


class PriceTable:
    """One price file; `problems` holds what is wrong with it."""

    def __init__(self, path: Path, names: KnownNames):
        self._path = path
        self._known = _known_parts(names.offers)
        self.problems: list[Problem] = []

    def read(self, text: str) -> tuple[OfferPrice, ...]:
        """Return the prices in the file's order, one for each offer that a row means."""
        rows = self._rows(text)
        _, header = next(rows, (1, []))
        if not self._admits(header):
            return ()
        found: dict[str, OfferPrice] = {}
        lines: dict[str, int] = {}
        for line, cells in rows:
            if len(self.problems) >= _MOST_PROBLEMS:
                break
            if len(cells) != len(header):
                read, allowed = f"{len(cells)} cells", f"{len(header)}"
                self._refuse(line, "", "another number of cells than the header", read=read, allowed=allowed)
                continue
            for price in self._prices(line, dict(zip(header, cells, strict=True))):
                if price.offer in found:
                    what = f"priced twice, first in line {lines[price.offer]}"
                    self._refuse(line, "", what, read=price.offer, allowed="one price for each offer")
                    break
                found[price.offer], lines[price.offer] = price, line
        if not found and not self.problems:
            self._refuse(1, "", "no prices below the header", allowed="a row for each price, or no inventory.prices")
        return tuple(found.values())

    def _rows(self, text: str) -> Iterator[tuple[int, list[str]]]:
        """The line where each row begins, and its cells without blanks around them; empty rows are left out."""
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        before = 0
        try:
            for row in reader:
                cells = [cell.strip() for cell in row]
                if any(cells):
                    yield before + 1, cells
                before = reader.line_num
        except csv.Error as error:
            self._refuse(before + 1, "", f"not CSV: {error}", allowed="a row a line, commas between cells")

    def _admits(self, header: Sequence[str]) -> bool:
        """Whether the header has the columns that are needed, each once, and no others."""
        if not any(header):
            self._refuse(1, "", "the file is empty", allowed=f"a header: {_NEEDED}")
            return False
        missing = [column for column in ("usd_per_hour", "date") if column not in header]
        if "offer" not in header and not {"provider", "instance"} <= set(header):
            missing.insert(0, "offer")
        if missing:
            self._refuse(1, "", f"the header lacks {' and '.join(missing)}", read=", ".join(header), allowed=_NEEDED)
        for column in dict.fromkeys(header):
            if header.count(column) > 1:
                self._refuse(1, column, "the header names this column twice", read=column)
            elif column not in PRICE_COLUMNS:
                fix = " or ".join(nearest(column, PRICE_COLUMNS, count=1)) or None
                self._refuse(1, column, "unknown column", read=column, allowed=", ".join(PRICE_COLUMNS), fix=fix)
        return not self.problems

    def _prices(self, line: int, row: Mapping[str, str]) -> Iterator[OfferPrice]:
        """The prices of one row; none if anything in it was refused."""
        offers = self._offers_of(line, row)
        micro = self._value(line, row, "usd_per_hour", _usd_micro)
        dated = self._value(line, row, "date", convert.date)
        currency = self._value(line, row, "currency", _us_dollars) if row.get("currency") else "USD"
        note = self._value(line, row, "note", convert.name) if row.get("note") else ""
        if micro is None or dated is None or currency is None or note is None:
            return
        source = f"{self._path.name}:{line}" + (f" ({note})" if note else "")
        for offer in offers:
            yield OfferPrice(offer=offer, usd_micro_per_hour=micro, date=dated, source=source)

    def _offers_of(self, line: int, row: Mapping[str, str]) -> tuple[str, ...]:
        """Ids of the offers that a row means; none if it was refused."""
        if not row.get("offer"):
            return self._named(line, row, row)
        said = next((column for column in _ID_PARTS if row.get(column)), None)
        if said is not None:
            self._refuse(line, said, "the id of the offer says this", read=row[said], allowed="an empty cell")
            return ()
        parts = row["offer"].split("/")
        if len(parts) != len(_ID_PARTS) or not all(parts):
            self._refuse(line, "offer", "not the id of an offer", read=row["offer"], allowed="/".join(_ID_PARTS))
            return ()
        return self._named(line, row, dict(zip(_ID_PARTS, parts, strict=True)))

    def _named(self, line: int, row: Mapping[str, str], parts: Mapping[str, str]) -> tuple[str, ...]:
        """Ids of the offers that have these parts, each looked up among those that the parts before it leave."""
        found: tuple[str, ...] = ()
        for column in ("provider", "instance", "tier"):
            name = self._look_up(line, row, column, parts.get(column) or _DEFAULTS.get(column, ""), self._known[found])
            if name is None:
                return ()
            found = (*found, name)
        regions = tuple(self._known[found])
        if parts.get("region"):
            region = self._look_up(line, row, "region", parts["region"], self._known[found])
            regions = () if region is None else (region,)
        provider, instance, tier = found
        return tuple(f"{provider}/{instance}/{region}/{tier}" for region in regions)

    def _look_up(
        self, line: int, row: Mapping[str, str], column: str, name: str, known: Mapping[str, str]
    ) -> str | None:
        try:
            return resolve(name, known, column)
        except ValueProblem as error:
            place, read = ("offer", row["offer"]) if row.get("offer") else (column, name)
            self._refuse(line, place, error.what, read=read, allowed=error.allowed, fix=error.fix)
            return None

    def _value(self, line: int, row: Mapping[str, str], column: str, read: Callable[[str], T]) -> T | None:
        try:
            return read(row[column])
        except ValueProblem as error:
            self._refuse(line, column, error.what, read=row[column], allowed=error.allowed, fix=error.fix)
            return None

    def _refuse(
        self,
        line: int,
        column: str,
        what: str,
        *,
        read: str | None = None,
        allowed: str | None = None,
        fix: str | None = None,
    ) -> None:
        mark = Mark(line, None)
        self.problems.append(Problem(str(self._path), mark, column, what, read=read, allowed=allowed, fix=fix))


def _known_parts(offers: Iterable[str]) -> dict[tuple[str, ...], dict[str, str]]:
    """What may follow which parts of an id: providers, then instances, tiers and regions; each by itself."""
    known: dict[tuple[str, ...], dict[str, str]] = {(): {}}
    for offer in sorted(offers):
        provider, instance, region, tier = offer.split("/")
        path: tuple[str, ...] = ()
        for name in (provider, instance, tier, region):
            known.setdefault(path, {})[name] = name
            path = (*path, name)
    return known


def _usd_micro(text: str) -> int:
    allowed = "dollars for an hour of the whole instance, a decimal such as 2.49"
    if re.fullmatch(r"-[0-9]+(?:\.[0-9]+)?", text):
        raise ValueProblem("a price is more than nothing", read=text, allowed=allowed)
    if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,18})?", text) is None:
        raise ValueProblem("not a price", read=text, allowed=allowed)
    micro = nearest_micro_dollars(Fraction(text))
    if not 0 < micro <= MOST_USD_PER_HOUR * 10**6:
        raise ValueProblem("out of range", read=text, allowed=f"0.000001 to {MOST_USD_PER_HOUR:,} dollars per hour")
    return micro


def _us_dollars(text: str) -> str:
    if text.upper() != "USD":
        raise ValueProblem("prices are in US dollars", read=text, allowed="USD, or no such column")
    return text
