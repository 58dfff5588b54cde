"""A file -> a trace. The form is told by the content: JSON lines, else CSV by its header."""

from codecs import BOM_UTF8
from dataclasses import replace
from functools import partial
from hashlib import file_digest
from io import BufferedReader, TextIOWrapper
from pathlib import Path

from requirements_specs.errors import Mark, Problem, SpecError
from requirements_specs.traces.mooncake import MooncakeReader
from requirements_specs.traces.tables import TableReader
from requirements_specs.traces.trace import RowProblem, Trace

TRACE_FORMS = (
    "a trace: CSV with time (s), prompt_tokens, output_tokens; CSV of Azure's LLM traces; or JSON lines of Mooncake"
)
_LONGEST_LINE = 2**20  # characters
_PEEKED_BYTES = 256


class TraceError(SpecError):
    """A trace that cannot be read; it holds the first thing that is wrong with it."""


def read_trace(path: Path, *, keep_blocks: bool = False) -> Trace:
    """Return the trace in a file, which is read as a stream; `keep_blocks`: with its prefix blocks, if it has them.

    Raises:
        TraceError: the file cannot be opened, is no trace, has times that are not in order, lengths that cannot be,
            or fewer than two requests.
    """
    with _opened(path) as file:
        digest = file_digest(file, "sha256").hexdigest()
        file.seek(0)
        json_lines = file.read(_PEEKED_BYTES).removeprefix(BOM_UTF8).lstrip().startswith(b"{")
        file.seek(0)
        text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
        lines = iter(partial(text.readline, _LONGEST_LINE), "")
        reader = MooncakeReader(lines, keep_blocks=keep_blocks) if json_lines else TableReader(lines)
        return replace(_read(path, reader), sha256=digest)


def _opened(path: Path) -> BufferedReader:
    try:
        if path.exists() and not path.is_file():
            raise _unreadable(path, "not a file")
        return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(path, f"cannot be read: {reason}") from None


def _read(path: Path, reader: MooncakeReader | TableReader) -> Trace:
    try:
        return reader.read()
    except RowProblem as problem:
        key = "" if problem.field is None else reader.columns[problem.field]
        what, read, allowed = problem.what, problem.read, problem.allowed
    except UnicodeDecodeError as error:  # text is decoded in blocks of many lines
        key, what = "", "not UTF-8 text, here or soon below"
        read, allowed = f"byte 0x{error.object[error.start]:02x}", "UTF-8"
    raise TraceError([Problem(str(path), Mark(reader.line, None), key, what, read=read, allowed=allowed)])


def _unreadable(path: Path, what: str) -> TraceError:
    return TraceError([Problem(str(path), None, "", what, allowed=TRACE_FORMS)])
