import math
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from requirements_specs.traces.facts import facts_of
from requirements_specs.traces.mooncake import BLOCK_TOKENS, SeenBlocks
from requirements_specs.traces.read import TraceError, read_trace
from requirements_specs.traces.trace import Trace
from tests.requirements_specs.traces.writers import Request, azure, made_up_chat, mooncake, plain

ROOT = Path(__file__).parents[3]
Read = Callable[[str | bytes], Trace]
Refused = Callable[[str | bytes], str]
TWO = [Request(0.5, 10, 5), Request(2.25, 700, 1)]
PLAIN = "time,prompt_tokens,output_tokens\n"
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
LINE = '{"timestamp": 0, "input_length": 600, "output_length": 5}\n'
lengths = st.integers(1, 10**8)
# Whole milliseconds, which every form can write.
requests = st.lists(
    st.tuples(st.integers(0, 10**9), lengths, lengths), min_size=2, unique_by=lambda row: row[0], max_size=30
).map(lambda rows: [Request(time / 1e3, prompt, output) for time, prompt, output in sorted(rows)])


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Read:
    path = tmp_path_factory.mktemp("traces") / "requests"

    def trace(content: str | bytes) -> Trace:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_trace(path)

    return trace


@pytest.fixture(scope="module")
def refused(read: Read) -> Refused:
    def message(content: str | bytes) -> str:
        with pytest.raises(TraceError) as error:
            read(content)
        (problem,) = error.value.problems
        return str(error.value).replace(str(Path(problem.path).parent) + "/", "")

    return message


@given(requests)
def test_every_form_gives_back_what_was_written(read: Read, written: list[Request]) -> None:
    for write in (plain, azure, mooncake):
        trace = read(write(written))
        assert trace.requests == len(written)
        began_s = math.floor(written[0].arrival_s) if write is azure else 0
        assert trace.arrival_s.tolist() == pytest.approx([each.arrival_s - began_s for each in written], abs=1e-6)
        assert trace.prompt_tokens.tolist() == [each.prompt for each in written]
        assert trace.output_tokens.tolist() == [each.output for each in written]
        assert trace.span_s == pytest.approx(written[-1].arrival_s - written[0].arrival_s)


def test_moments_are_told_as_in_the_file(read: Read) -> None:
    later = [Request(each.arrival_s + 86400.0, each.prompt, each.output) for each in TWO]
    trace = read(azure([*TWO, *later], zone="+00:00"))
    assert trace.moment(float(trace.arrival_s[3])) == "2023-11-17 18:15:48"
    assert read(plain(TWO)).moment(2.25) == "2.25 s"
    assert read(plain(TWO)).moment(1700000123.456) == "1,700,000,123.456 s"


def test_digits_below_a_microsecond_are_kept(read: Read) -> None:
    trace = read(AZURE + "2023-11-16 18:15:46.6805901,1,1\n2023-11-16 18:15:46.6805909,1,1\n")
    assert trace.span_s == pytest.approx(8e-7, rel=1e-6)


def test_columns_stand_anywhere_and_others_are_not_read(read: Read) -> None:
    trace = read("\ufeffuser, output_tokens ,time,prompt_tokens\nann,5,0,10\n\nbob, 1 ,2,700\n")
    assert trace.prompt_tokens.tolist() == [10, 700]
    assert trace.output_tokens.tolist() == [5, 1]


def test_the_hash_is_of_the_file(read: Read) -> None:
    assert read(plain(TWO)).sha256 == sha256(plain(TWO).encode()).hexdigest()


def test_traces_do_not_share_their_buffers(read: Read) -> None:
    trace = read(plain(TWO))
    again = read(plain([Request(7.0, 1, 1), Request(8.0, 1, 1)]))
    assert trace.arrival_s.tolist() == [0.5, 2.25]
    assert again.arrival_s.tolist() == [7.0, 8.0]


def test_the_prefix_ceiling_counts_blocks_seen_before_from_the_first_on(read: Read) -> None:
    trace = read(
        mooncake(
            [
                Request(0.0, 1000, 1, (0, 1)),
                Request(1.0, 1000, 1, (0, 1)),  # all of it, and no more than it has
                Request(2.0, 1500, 1, (0, 2, 1)),  # the first block; what follows another prompt does not count
                Request(2.0, 500, 1, (9_000,)),
            ]
        )
    )
    assert trace.prefix_hit_ceiling == (1000 + BLOCK_TOKENS) / 4000
    assert read(mooncake(TWO)).prefix_hit_ceiling is None


@given(st.lists(st.lists(st.integers(0, 40_000), max_size=6), max_size=20))
def test_seen_blocks_are_a_set(prompts: list[list[int]]) -> None:
    seen: set[int] = set()
    found = SeenBlocks()
    for ids in prompts:
        known = next((index for index, each in enumerate(ids) if each not in seen), len(ids))
        assert found.admit(ids) == known
        seen |= set(ids)


BAD = [
    ("", "requests:1: the file is empty", "allowed: time, prompt_tokens, output_tokens; or of Azure TIMESTAMP"),
    (PLAIN, "requests:1: no requests below the header", "two requests or more"),
    (AZURE, "requests:1: no requests below the header", "two requests or more"),
    (PLAIN + "0,1,1\n", "requests:2: one request has no rate", "at two times"),
    (PLAIN + "3,1,1\n3,1,1\n", "requests:3: requests that all arrive at once have no rate", "read: 2 at one time"),
    ("time,prompt_tokens\n0,1\n", "requests:1: the header lacks output_tokens", "read: time, prompt_tokens"),
    ("TIMESTAMP,ContextTokens\n", "requests:1: the header lacks GeneratedTokens", "or of Azure TIMESTAMP"),
    ("time,time,prompt_tokens,output_tokens\n", "requests:1: the header names a column twice", "read: time"),
    (PLAIN + "5,1,1\n4,1,1\n", "requests:3: time: the times are not in order", "read: 1 s before the request above"),
    (PLAIN + "-1,1,1\n", "requests:2: time: a time before the start", "allowed: 0 s or later"),
    (PLAIN + "nan,1,1\n", "requests:2: time: not a possible time", "read: nan s"),
    (PLAIN + "inf,1,1\n", "requests:2: time: not a possible time", "allowed: 0 s to"),
    (PLAIN + "1700000000000,1,1\n", "requests:2: time: not a possible time", "read: 1.7e+12 s"),
    (PLAIN + "soon,1,1\n", "requests:2: time: not a time", "read: soon"),
    (PLAIN + ",1,1\n", "requests:2: time: not a time", "read: nothing"),
    (PLAIN + "1_0,1,1\n", "requests:2: time: not a time", "read: 1_0"),
    (PLAIN + "0,5_0,1\n", "requests:2: prompt_tokens: not a whole number of tokens", "read: 5_0"),
    (PLAIN + "0,1,\u0665\n", "requests:2: output_tokens: not a whole number of tokens", "read: \u0665"),
    (PLAIN + "0,1.5,1\n", "requests:2: prompt_tokens: not a whole number of tokens", "read: 1.5"),
    (PLAIN + "0,nan,1\n", "requests:2: prompt_tokens: not a whole number of tokens", "read: nan"),
    (PLAIN + "0,1,0\n", "requests:2: output_tokens: not a possible length", "read: 0 tokens"),
    (PLAIN + "0,-7,0\n", "requests:2: prompt_tokens: not a possible length", "leave out requests that were not served"),
    (PLAIN + "0,1,9999999999\n", "requests:2: output_tokens: not a possible length", "1 to 100,000,000"),
    (PLAIN + "0,1\n", "requests:2: another number of cells than the header", "read: 2 cells"),
    (PLAIN + '0,1,"1\n', "requests:2: not CSV", "commas between cells"),
    (PLAIN + "0,1,1\n" + "1" * 2**21, "requests:3: not CSV", "a row a line"),
    (AZURE + "18:15:46,1,1\n", "requests:2: TIMESTAMP: not a moment", "allowed: 2023-11-16 18:15:46.6805900"),
    (AZURE + "2023-02-30 18:15:46,1,1\n", "requests:2: TIMESTAMP: no such moment", "a date that exists"),
    (
        AZURE + "2023-11-16 18:15:46,1,1\n2023-11-16 18:15:45.5,1,1\n",
        "requests:3: TIMESTAMP: the times are not in order",
        "read: 0.5 s before",
    ),
    (PLAIN.encode() + b"0,1,\xff\n", "requests:1: not UTF-8 text", "byte 0xff"),
    ("{\n", "requests:1: not a line of JSON", '"input_length": 512'),
    (LINE + "[1]\n", "requests:2: not an object", "read: [1]"),
    (LINE + "{" * 100_000, "requests:2: not a line of JSON", "allowed: {"),
    (LINE + '{"timestamp": 1}\n', "requests:2: the line lacks input_length and output_length", "read: timestamp"),
    (LINE.replace(": 0,", ": NaN,"), "requests:1: timestamp: not a possible time", "nan"),
    (LINE.replace(": 0,", f": {'9' * 400},"), "requests:1: timestamp: not a time", "allowed: seconds"),
    (LINE.replace(": 0,", ": true,"), "requests:1: timestamp: not a time", "True"),
    (LINE.replace("600", "600.5"), "requests:1: input_length: not a whole number of tokens", "600.5"),
    (LINE.replace("5}", "null}"), "requests:1: output_length: not a whole number of tokens", "read: nothing"),
    (LINE.replace("5}", '5, "hash_ids": [1, 2, 3]}'), "requests:1: hash_ids do not cover the prompt", "3 blocks"),
    (LINE.replace("5}", '5, "hash_ids": [-1, 2]}'), "requests:1: hash_ids are not block numbers", "[-1, 2]"),
    (LINE.replace("5}", f'5, "hash_ids": [{2**31}, 2]}}'), "requests:1: hash_ids are not block numbers", "2,147,483"),
    (LINE + LINE.replace("5}", '5, "hash_ids": [1, 2]}'), "requests:2: some lines have hash_ids", "all lines or none"),
    (LINE, "requests:1: one request has no rate", "two requests or more"),
]


@pytest.mark.parametrize(("content", "first", "detail"), BAD)
def test_what_is_wrong_has_a_place(refused: Refused, content: str | bytes, first: str, detail: str) -> None:
    message = refused(content)
    assert message.startswith(first)
    assert detail in message


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_content_is_a_bug(read: Read, content: bytes) -> None:
    for start in (b"", PLAIN.encode(), AZURE.encode(), LINE.encode()):
        with suppress(TraceError):
            assert read(start + content).span_s > 0


@pytest.mark.parametrize("name", ["", "no such file", "\0"])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TraceError, match=r"not a file|cannot be read"):
        read_trace(tmp_path / name)


def test_the_example_is_what_the_writer_makes() -> None:
    assert (ROOT / "examples" / "trace_azure_conv.csv").read_text(encoding="utf-8") == made_up_chat()


def test_blocks_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    prompts = [(1, 2), (1, 2, 3), (4,), (1, 5)]
    path = tmp_path / "requests"
    path.write_text(
        mooncake(Request(float(i), BLOCK_TOKENS * len(each), 1, each) for i, each in enumerate(prompts)),
        encoding="utf-8",
    )
    assert read_trace(path).prefix_blocks is None
    trace = read_trace(path, keep_blocks=True)
    for first, end in ((0, 4), (0, 2), (1, 3), (3, 4)):
        blocks = trace.part(first, end).prefix_blocks
        assert blocks is not None
        assert blocks.of_each() == [list(each) for each in prompts[first:end]]
    path.write_text(plain(TWO), encoding="utf-8")
    assert read_trace(path, keep_blocks=True).prefix_blocks is None


MOST_BYTES_PER_ROW = 90
"""10^7 rows then take 900 MB, and fit into a GiB beside the interpreter."""


def bytes_per_row(path: Path, rows: int) -> float:
    """The most memory held at once while a file of so many rows is read and its facts are found."""
    with path.open("w", encoding="utf-8") as file:
        file.write(PLAIN)
        file.writelines(f"{row * 0.013:.3f},{row * 7919 % 4001 + 1},{row * 104729 % 997 + 1}\n" for row in range(rows))
    tracemalloc.start()
    facts = facts_of(read_trace(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert facts.trace.requests == rows
    return peak / rows


def test_a_row_takes_few_bytes(tmp_path: Path) -> None:
    assert bytes_per_row(tmp_path / "rows.csv", 50_000) <= MOST_BYTES_PER_ROW


@pytest.mark.bench
def test_a_million_rows(tmp_path: Path) -> None:
    used = bytes_per_row(tmp_path / "rows.csv", 1_000_000)
    print(f"a trace of 1,000,000 rows takes {used:.1f} bytes a row at most")
    assert used <= MOST_BYTES_PER_ROW
