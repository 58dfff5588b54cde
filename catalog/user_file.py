"""A file that the user brings (a model's config, custom parts) as text with its digest, and places in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from catalog.errors import FileError

LARGEST_FILE_BYTES = 10**6
_DIGEST_SHOWN = 12


@dataclass(frozen=True)
class UserText:
    """The text of a file; `digest` is the SHA-256 of its bytes, in hex."""

    path: Path
    text: str
    digest: str

    @property
    def version(self) -> str:
        """The digest in short: which content was read."""
        return f"sha256 {self.digest[:_DIGEST_SHOWN]}"

    def where(self, key: str) -> str:
        """Return `path:line` of the last part of `key`; without a line where the file does not name it exactly once."""
        name = re.escape(key.rpartition(".")[2])
        places = list(re.finditer(rf"(?<![\w.-])[\"']?{name}[\"']?\s*:", self.text))
        if len(places) != 1:
            return str(self.path)
        return f"{self.path}:{self.text.count(chr(10), 0, places[0].start()) + 1}"


@dataclass(frozen=True)
class UserFile:
    """The one mapping in a file."""

    source: UserText
    values: Mapping[str, object]


def read_user_text(path: Path, allowed: str) -> UserText:
    """Return the text of a file of at most 1 MB; `allowed` says what it should be.

    Raises FileError: it cannot be opened, is larger, or is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise FileError(str(path), "", f"cannot be read: {reason}", allowed=allowed) from None
    if len(data) > LARGEST_FILE_BYTES:
        raise FileError(str(path), "", "the file is larger than 1 MB", allowed=f"{allowed}; most have a page")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(str(path), "", "not UTF-8 text", read=f"byte 0x{data[error.start]:02x}") from None
    return UserText(path, text, sha256(data).hexdigest())
