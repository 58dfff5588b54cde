from collections.abc import Callable

import pytest

from catalog.read import load
from optimizer.diagnose import Asked, Diagnosis, Measured, Stated, diagnose

Diagnose = Callable[..., Diagnosis]


@pytest.fixture
def ask() -> Diagnose:
    """Diagnose commands on a machine under (prompt, output, clients), as the arguments of `Asked` say."""

    def asked(
        *commands: str,
        on: str,
        load_of: Stated,
        measured: Measured | None = None,
        engine_version: str = "",
        servers: int | None = None,
        any_formats: bool = False,
    ) -> Diagnosis:
        question = Asked(commands, on, load_of, measured or Measured(), engine_version, servers, any_formats)
        return diagnose(question, load())

    return asked
