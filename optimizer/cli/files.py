"""Files that a command writes."""

from pathlib import Path

from requirements_specs.errors import Problem, SpecError


def write_text(path: Path, text: str) -> None:
    """Write a text file.

    Raises:
        SpecError: it cannot be written; that is bad input, not a bug.

    """
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SpecError([Problem(str(path), None, "", f"cannot be written: {reason}")]) from None
