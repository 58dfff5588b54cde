"""The bytes of a result file as records: JSON, JSON lines, CSV or YAML, told apart by what stands in them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping

from optimizer.calibration.importers.record import Record, ResultError


def read_records(data: bytes, source: str) -> tuple[Record, ...]:
    """Records of a file in their order; `source` names it in messages.

    Raises ResultError for what is neither JSON (one object, a list, or objects one after the other), CSV nor YAML.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ResultError(f"{source}: not text in UTF-8; results are JSON, JSON lines, CSV or YAML") from None
    start = text.lstrip()[:1]
    if not start:
        raise ResultError(f"{source}: the file is empty")
    if start in "{[":
        return _from_json(text, source)
    first_line = text.split("\n", 1)[0]
    if "," in first_line and ": " not in first_line:
        return _from_csv(text, source)
    return _from_yaml(text, source)


def _from_json(text: str, source: str) -> tuple[Record, ...]:
    values = list(_json_values(text, source))
    listed = len(values) == 1 and isinstance(values[0][1], list)
    if listed:
        line, items = values[0]
        values = [(line, item) for item in items] if isinstance(items, list) else []
    records = []
    for position, (line, value) in enumerate(values, start=1):
        if not isinstance(value, Mapping):
            raise ResultError(f"{source}:{line}: an object is expected, not {type(value).__name__}")
        where = f"[{position - 1}]" if listed else f":{line}" if len(values) > 1 else ""
        records.append(Record(value, f"{source}{where}"))
    return tuple(records)


def _json_values(text: str, source: str) -> Iterator[tuple[int, object]]:
    """Line and value of every JSON text in a file that holds one after the other."""
    decoder = json.JSONDecoder()
    position = 0
    while True:
        while position < len(text) and text[position].isspace():
            position += 1
        if position == len(text):
            return
        line = text.count("\n", 0, position) + 1
        try:
            value, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise ResultError(f"{source}:{error.lineno}: not valid JSON: {error.msg}") from None
        except ValueError:  # of an integer of thousands of digits
            raise ResultError(f"{source}:{line}: a number that cannot be read") from None
        except RecursionError:
            raise ResultError(f"{source}:{line}: JSON that is nested too deeply for a benchmark result") from None
        yield line, value


def _from_csv(text: str, source: str) -> tuple[Record, ...]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    records = []
    try:
        for row in reader:
            if None in row or None in row.values():
                raise ResultError(f"{source}:{reader.line_num}: {len(reader.fieldnames or [])} cells are expected")
            records.append(Record(row, f"{source}:{reader.line_num}"))
    except csv.Error as error:
        raise ResultError(f"{source}:{reader.line_num}: not valid CSV: {error}") from None
    return tuple(records)


def _from_yaml(text: str, source: str) -> tuple[Record, ...]:
    import yaml  # only reports of one tool come as YAML

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or "it cannot be parsed"
        place = getattr(error, "problem_mark", None)
        line = "" if place is None else f":{place.line + 1}"
        raise ResultError(f"{source}{line}: neither JSON nor CSV nor valid YAML: {reason}") from None
    except (ValueError, LookupError, AttributeError):  # the parser's own, of `2026-99-99` and of tags that lie
        raise ResultError(f"{source}: YAML with a value that cannot be read, such as a date that is none") from None
    except RecursionError:
        raise ResultError(f"{source}: YAML that is nested too deeply for a benchmark result") from None
    if not isinstance(value, Mapping):
        raise ResultError(f"{source}: an object is expected, not {type(value).__name__}")
    return (Record(value, source),)
