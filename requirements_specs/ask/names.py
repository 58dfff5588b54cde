"""Models and accelerators that a sentence names: as the catalog spells them, nearly so, or by a part of the name."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from requirements_specs.ask.reading import MODEL, PART, Reading
from requirements_specs.ask.spelling import bare, close_match, digits
from requirements_specs.ask.vocabulary import NameTable, Vocabulary
from requirements_specs.known import nearest

_RUN = re.compile(r"[a-z0-9]+")
_GLUED_COUNT = re.compile(r"((?:\d+x)+)([a-z].*)")
_JOINT = re.compile(r"[-_./+ ()]{1,2}")
_MOST_RUNS = 9
_SHORTEST_JOINED = 4
_FEWEST_LETTERS = 3
_PRECISIONS = frozenset(("fp8", "fp4", "nvfp4", "int4", "int8", "awq", "gptq", "bf16", "fp16"))
_SIZE = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?b(?![a-z0-9])")
_SIZED_WORD = re.compile(r"(?<![\w./-])[a-z][a-z0-9._]*-\d+(?:\.\d+)?b(?:-[a-z0-9.]+)*(?![a-z0-9])")
_PART_LIKE = re.compile(
    r"(?:(?<![\w.-])|(?<=\dx))(?:rtx[ -]?\d{4}|(?:gb|gh|mi|a|h|b|l|t|v)\d{2,4}[a-z]{0,2})(?![a-z0-9])"
)
# Families whose bare name is also a word, or another program's.
_NEED_A_NUMBER = frozenset(("megatron", "mt", "opt", "palm", "phi", "gpt"))
_MOST_OFFERED = 4


def read_models(reading: Reading, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the ids of the models that are named, each once; a name that means none or several is refused.

    Accelerators stay in the sentence, `read_accelerators` takes them.
    """
    models, parts = vocabulary.models, vocabulary.parts
    found = _longest(reading, models.ids, parts.ids, MODEL)
    found += _nearly(reading, models, "model", MODEL)
    found += _by_a_part_of_the_name(reading, vocabulary, named=bool(found))
    return tuple(dict.fromkeys(found))


def read_accelerators(reading: Reading, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the ids of the accelerators that are named, each once; one that the catalog does not hold is refused."""
    found = _longest(reading, vocabulary.parts.ids, {}, PART)
    found += _nearly(reading, vocabulary.parts, "inventory.accelerators", PART)
    for match in list(_PART_LIKE.finditer(reading.left)):
        reading.claim(match.start(), match.end(), PART)
        meant = {part for part in vocabulary.parts.ids.values() if part.split("-")[0] == match[0]}
        if len(meant) == 1:
            found += meant
            reading.note("inventory.accelerators", found[-1], f"{match[0]} is read as this")
            continue
        reading.refuse(
            match.start(),
            "inventory.accelerators",
            "unknown accelerator",
            read=match[0],
            allowed="roofplan catalog list parts",
            fix=_nearest_ids(match[0], vocabulary.names.accelerators),
        )
    return tuple(dict.fromkeys(found))


def _runs(text: str) -> list[tuple[int, int]]:
    """Places of letters and digits without a sign between; a count that is glued to a name stands alone."""
    runs = []
    for match in _RUN.finditer(text):
        glued = _GLUED_COUNT.fullmatch(match[0])
        if glued is None:
            runs.append(match.span())
        else:
            runs += [(match.start(), match.start() + len(glued[1]) - 1), (match.end() - len(glued[2]), match.end())]
    return runs


def _windows(text: str) -> Iterator[list[tuple[int, int]]]:
    """Runs that may be one name, the longest from each start first."""
    runs = _runs(text)
    for first in range(len(runs)):
        last = first
        while (
            last + 1 < len(runs)
            and last + 1 - first < _MOST_RUNS
            and _JOINT.fullmatch(text[runs[last][1] : runs[last + 1][0]])
        ):
            last += 1
        for end in range(last, first - 1, -1):
            yield runs[first : end + 1]


def _longest(reading: Reading, table: Mapping[str, str], others: Mapping[str, str], mark: str) -> list[str]:
    """Ids of the names of `table` that stand in the sentence, the longest at each place; `others` are left there."""
    found: list[str] = []
    text, free_from = reading.left, 0
    for window in _windows(text):
        start, end = window[0][0], window[-1][1]
        if start < free_from or _goes_on(text, end):
            continue
        if len(window) > 1 and text[slice(*window[-1])] in _PRECISIONS and _known(text[start : window[-2][1]], table):
            continue
        name = _known(text[start:end], table)
        if name is not None and (len(window) == 1 or len(name) >= _SHORTEST_JOINED):
            found.append(table[name])
            reading.claim(start, end, mark)
            free_from = end
        elif name is None and _known(text[start:end], others) is not None:
            free_from = end
    return found


def _known(text: str, table: Mapping[str, str]) -> str | None:
    """Return the bare name in `table` that `text` is: as written, in the plural, or with 80G for 80GB."""
    name = bare(text)
    if name in table:
        return name
    if name.endswith("s") and name[:-1] in table:
        return name[:-1]
    return f"{name}b" if name.endswith("g") and f"{name}b" in table else None


def _goes_on(text: str, end: int) -> bool:
    """Whether a number that is glued to the name goes on after it, so that it is another name: `gpt-3` in `gpt-3.5`."""
    return re.match(r"[.-]v?\d", text[end:]) is not None


def _nearly(reading: Reading, table: NameTable, key: str, mark: str) -> list[str]:
    """Ids of names with a slip of the hand, each noted."""
    found = []
    text, free_from = reading.left, 0
    for window in _windows(text):
        start, end = window[0][0], window[-1][1]
        written = bare(text[start:end])
        letters = sum(character.isalpha() for character in written)
        if start < free_from or letters < _FEWEST_LETTERS or letters == len(written) or _goes_on(text, end):
            continue
        name = close_match(written, table.by_digits.get(digits(written), ()))
        if name is not None and not _joins_a_word(text, window):
            reading.note(key, table.ids[name], f"{text[start:end]} is read as this")
            reading.claim(start, end, mark)
            found.append(table.ids[name])
            free_from = end
    return found


def _joins_a_word(text: str, window: list[tuple[int, int]]) -> bool:
    """Whether a blank in the window joins the name to a word of the sentence, as `a` in `a h100`."""
    return any(
        " " in text[left[1] : right[0]] and text[slice(*left)].isalpha() and left[1] - left[0] < _FEWEST_LETTERS
        for left, right in pairwise(window)
    )


def _by_a_part_of_the_name(reading: Reading, vocabulary: Vocabulary, *, named: bool) -> list[str]:
    """Models named by family, size or the end of their id, where that means one; what does not is refused."""
    ids = tuple(sorted(set(vocabulary.names.models.values())))
    found = []
    for match in [*_family_pattern(ids).finditer(reading.left)]:
        written = match[0]
        words = [word for word in re.split(r"[- _/]+", written) if word not in ("instruct", "chat", "model", "models")]
        family = re.match(r"[a-z]+", written)
        if family is not None and family[0] in _NEED_A_NUMBER and not any(map(str.isdigit, written)):
            continue
        if named and all(word.isalpha() for word in words):
            reading.claim(match.start(), match.end())  # the family of a model that is named in full
            continue
        of_family = [each for each in ids if each.startswith(words[0])] if words[0].isalpha() else list(ids)
        rest = words[1:] if words[0].isalpha() else words
        found += _one_of(reading, match, [each for each in of_family if _has_words(each, rest)], vocabulary)
    tails = {"".join(_words_of(each)[1:]): each for each in ids if len(_words_of(each)) == 2}
    for match in re.finditer(r"(?<![\w.-])[a-z]\d(?:\.\d)?(?![\w-])", reading.left):
        if match[0] in tails:
            found += _one_of(reading, match, [tails[match[0]]], vocabulary)
    for match in [*_SIZED_WORD.finditer(reading.left)]:
        found += _one_of(reading, match, [], vocabulary)
    for match in [*_SIZE.finditer(reading.left)]:
        meant = [each for each in ids if match[0] in _words_of(each)]
        if named or found:
            reading.claim(match.start(), match.end())
        else:
            found += _one_of(reading, match, meant, vocabulary)
    return found


@cache
def _family_pattern(ids: tuple[str, ...]) -> re.Pattern[str]:
    """A word that begins with a family's name, and the size that may follow it."""
    families = sorted({match[0] for each in ids if (match := re.match(r"[a-z]+", each))}, key=len, reverse=True)
    return re.compile(
        rf"(?<![\w./-])(?:[a-z0-9-]+/)?(?:meta-)?(?:{'|'.join(families)})(?![a-z])[0-9]*(?:\.\d+)?(?:[-_]?[a-z0-9]+(?:\.\d+)?)*"
        r"(?: (?:v?\d+(?:\.\d+)? )?\d+(?:\.\d+)?b(?![a-z0-9]))?"
    )


def _words_of(model: str) -> list[str]:
    return model.split("-")


def _has_words(model: str, words: list[str]) -> bool:
    left = _words_of(model)
    for word in words:
        if word not in left:
            return False
        left.remove(word)
    return True


def _one_of(reading: Reading, match: re.Match[str], meant: list[str], vocabulary: Vocabulary) -> list[str]:
    """The one model that is meant, noted; otherwise none, with a problem that names what might be."""
    reading.claim(match.start(), match.end(), MODEL)
    if len(meant) == 1:
        reading.note("model", meant[0], f"{match[0]} is read as this")
        return meant
    if meant:
        shown = " or ".join(meant[-_MOST_OFFERED:])
        reading.refuse(match.start(), "model", f"{len(meant)} models answer to this", read=match[0], fix=shown)
    else:
        reading.refuse(
            match.start(),
            "model",
            "unknown model",
            read=match[0],
            allowed="roofplan catalog list models",
            fix=_nearest_ids(match[0], vocabulary.names.models),
        )
    return []


def _nearest_ids(word: str, known: Mapping[str, str]) -> str | None:
    near = dict.fromkeys(known[spelling] for spelling in nearest(word, known, count=len(known)))
    return " or ".join(list(near)[:3]) or None
