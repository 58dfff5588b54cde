"""How names are compared: without signs, and with the few slips of a hand that still mean one name."""

import re
from collections.abc import Iterable

_SHORT = 8


def bare(name: str) -> str:
    """Return the letters and digits of `name`, lower case: `Llama-3.1 70B` and `llama3170b` are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def digits(name: str) -> tuple[str, ...]:
    """Return the numbers in a name, in order."""
    return tuple(re.findall(r"[0-9]+", name))


def close_match(word: str, candidates: Iterable[str]) -> str | None:
    """Return the one candidate within one slip of `word` (two from eight letters on); None if none or several are.

    Both are `bare` names. A slip drops, adds, changes or swaps letters, never a digit: 8b is not 9b.
    """
    most = 1 if len(word) < _SHORT else 2
    least, found = most + 1, set[str]()
    for candidate in candidates:
        if abs(len(candidate) - len(word)) > most or digits(candidate) != digits(word):
            continue
        slips = edit_distance(word, candidate)
        if slips < least:
            least, found = slips, {candidate}
        elif slips == least <= most:
            found.add(candidate)
    return found.pop() if len(found) == 1 else None


def edit_distance(one: str, other: str) -> int:
    """Return how many letters must be dropped, added, changed or swapped with their neighbour to make `other`."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        older, before, row = before, row, [i]
        for j, right in enumerate(other, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]
