"""Files that a command writes."""

from pathlib import Path

from requirements_specs.errors import Problem, SpecError


def exists(path: Path) -> bool:
    """Return whether there is a file.

    Raises:
        SpecError: there can be none of this name; that is bad input, not a bug.

    """
    try:
        return path.exists()
    except OSError as error:
        raise _unwritable(path, error) from None


def refuse_unwritable(path: Path) -> None:
    """Find out whether `write_text` can write a file, and leave everything as it is.

    Raises:
        SpecError: it cannot be written.

    """
    is_new = not exists(path)
    try:
        path.open("ab").close()
        if is_new:
            path.unlink()
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def write_text(path: Path, text: str) -> None:
    """Write a text file.

    Raises:
        SpecError: it cannot be written; that is bad input, not a bug.

    """
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError | ValueError) -> SpecError:
    """What is said of an error of the system; a ValueError is a path with a null character."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SpecError([Problem(str(path), None, "", f"cannot be written: {reason}")])
