import pytest

from catalog.read import load
from optimizer.names import known_names, vocabulary
from requirements_specs.ask.scan import Scan, scan
from requirements_specs.ask.vocabulary import Vocabulary


@pytest.fixture(scope="session")
def words() -> Vocabulary:
    """The vocabulary of the packaged catalog."""
    return vocabulary(load(), known_names(load()))


class Reader:
    """Reads sentences with one vocabulary."""

    def __init__(self, words: Vocabulary):
        self._words = words

    def __call__(self, question: str) -> Scan:
        return scan(question, self._words)


@pytest.fixture(scope="session")
def read(words: Vocabulary) -> Reader:
    """Scan a sentence."""
    return Reader(words)
