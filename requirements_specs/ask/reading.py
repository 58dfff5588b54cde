"""A sentence while it is read: what was recognised is blanked, so that nothing is read twice."""

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar
from unicodedata import normalize

from requirements_specs.errors import Mark, Problem

Said = TypeVar("Said")

LONGEST_QUESTION = 2000
PATH = "question"
"""What messages call the sentence; their column is a place in it."""

BLANK = "\x01"
PART = "\x02"
"""Stands where an accelerator was read, so that a count beside it can be seen."""
MODEL = "\x03"

NEGATION = (
    r"(?:no|not|nor|neither|zero|without|exclud(?:e|ing)|except|avoid|skip|never|cannot|dont|[a-z]+n't"
    r"|(?:other|rather) than|instead of|(?:any|every|all)(?:thing|where)?(?: [a-z]+)? but)"
)
"""What turns the word behind it into its opposite."""

_ALIKE = {"×": "x", "–": "-", "—": "-", "−": "-", "’": "'", "≤": "≤", "\N{NO-BREAK SPACE}": " "}


class Reading:
    """The sentence in lower case, `left` of it what is not recognised yet; places in both are the same."""

    def __init__(self, question: str):
        self.text = "".join(_plain(character) for character in question)
        self.left = "".join(character if _may_belong(character) else " " for character in self.text)
        self.read: list[tuple[int, int]] = []
        self.problems: list[Problem] = []
        self.notes: list[tuple[str, str, str]] = []

    def take(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Each place that matches in what is left; it counts as read from then on."""
        for match in pattern.finditer(self.left):
            self.claim(match.start(), match.end())
            yield match

    def claim(self, start: int, end: int, mark: str = BLANK) -> None:
        """Blank a place; `mark` stands at its first character."""
        self.read.append((start, end))
        self.left = self.left[:start] + mark + BLANK * (end - start - 1) + self.left[end:]

    def note(self, key: str, value: str, why: str) -> None:
        """Say what was taken for what."""
        if (key, value, why) not in self.notes:
            self.notes.append((key, value, why))

    def one(self, key: str, what: str, said: Iterable[tuple[re.Match[str], Said]]) -> Said | None:
        """Return the first of the values, each with the words that say it; one that differs from it is refused."""
        first: tuple[str, Said] | None = None
        for match, value in said:
            words = self.text[match.start() : match.end()]
            if first is None:
                first = words, value
            elif value != first[1]:
                self.refuse(match.start(), key, f"another {what} than before", read=f"{first[0]} and {words}")
        return None if first is None else first[1]

    def refuse(
        self,
        start: int,
        key: str,
        what: str,
        *,
        read: str | None = None,
        allowed: str | None = None,
        fix: str | None = None,
    ) -> None:
        """Note a problem and its place in the sentence."""
        self.problems.append(Problem(PATH, Mark(1, start + 1), key, what, read=read, allowed=allowed, fix=fix))


def _may_belong(character: str) -> bool:
    """Whether a character can be of a name, a number or a unit; a word in another script ends where these begin."""
    return character.isascii() or not character.isalpha() or character in "µμ"


def _plain(character: str) -> str:
    """Return one character for one: lower case, wide forms narrow, everything unprintable a blank."""
    character = _ALIKE.get(character, character)
    for form in (normalize("NFKC", character).lower(), character):
        if len(form) == 1:
            return form if form.isprintable() else " "
    return " "
