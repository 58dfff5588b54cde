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
        question = Asked(
            commands=commands,
            machine=on,
            load=load_of,
            measured=measured or Measured(),
            engine_version=engine_version,
            servers=servers,
            any_formats=any_formats,
        )
        return diagnose(question, load())

    return asked
