import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from requirements_specs.errors import MalformedSpecError, SpecError, UnreadableSpecError
from requirements_specs.known import KnownNames
from requirements_specs.read import read_spec
from requirements_specs.serving import ServingSpec

Read = Callable[[str], ServingSpec]

MALFORMED = [
    ("", "1:1: the file is empty"),
    ("# nothing\n", "1:1: the file is empty"),
    ("~\n", "1:1: the file is empty"),
    ("- a\n", "1:1: not a mapping"),
    ("just words\n", "1:1: not a mapping"),
    ("kind: serving\nmodel: [a\n", "3:1: not valid YAML"),
    ("kind: serving\n\tmodel: a\n", "2:1: not valid YAML"),
    ("kind: serving\nmodel: 'a\n", "3:1: not valid YAML"),
    ("kind: serving\nmodel: \x07\n", "2:8: not valid YAML"),
    ("kind: serving\n---\nkind: serving\n", "2:1: a second document"),
    ("a: &a [x]\nb: *a\n", "2:4: a YAML alias"),
    ("a: !!python/name:os.system x\n", "1:4: a YAML tag"),
    ("? [a]\n: b\n", "1:3: a key that is a list or a mapping"),
    ("a: " + "[" * 200 + "]" * 200, "1:23: nested too deeply"),
    ("[" * 100_000, "1:"),
    ("a: [" + "x, " * 60_000 + "]", "1:150002: too many values"),
]


@pytest.mark.parametrize(("text", "first"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_files_name_the_place(read: Read, text: str, first: str) -> None:
    with pytest.raises(MalformedSpecError) as error:
        read(text)
    assert str(error.value).startswith(f"chat.yaml:{first}")
    assert len(str(error.value)) < 500


def test_an_anchor_bomb_is_refused_at_once(read: Read) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
    start = time.perf_counter()
    with pytest.raises(MalformedSpecError, match="2:10: a YAML alias"):
        read(bomb)
    assert time.perf_counter() - start < 0.5


def test_a_large_file_is_refused_before_it_is_parsed(tmp_path: Path, names: KnownNames) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    start = time.perf_counter()
    with pytest.raises(UnreadableSpecError, match="larger than 1 MB"):
        read_spec(path, names)
    assert time.perf_counter() - start < 0.5


def test_unreadable_paths_are_named(tmp_path: Path, names: KnownNames) -> None:
    with pytest.raises(UnreadableSpecError, match=r"missing\.yaml: cannot be read: No such file"):
        read_spec(tmp_path / "missing.yaml", names)
    with pytest.raises(UnreadableSpecError, match="cannot be read: Is a directory"):
        read_spec(tmp_path, names)
    with pytest.raises(UnreadableSpecError, match="cannot be read"):
        read_spec(Path("a\0b"), names)
    if os.geteuid() != 0:
        locked = tmp_path / "locked.yaml"
        locked.touch(mode=0)
        with pytest.raises(UnreadableSpecError, match="cannot be read: Permission denied"):
            read_spec(locked, names)


def test_text_that_is_not_utf_8_names_the_byte(tmp_path: Path, names: KnownNames) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("kind: serving\nname: caf\xe9\n".encode("latin-1"))
    with pytest.raises(UnreadableSpecError, match=r"latin\.yaml:2:10: not UTF-8 text\n    read: byte 0xe9"):
        read_spec(path, names)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=400))
@example(data=b"\xff\xfe")
@example(data=b"{" * 5000)
@example(data=b"a: " * 3000)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, names: KnownNames, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(data)
    with pytest.raises(SpecError) as error:
        read_spec(path, names)
    assert str(error.value).isprintable() or "\n" in str(error.value)
