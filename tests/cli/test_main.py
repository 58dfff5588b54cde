import pytest

from optimizer import __main__ as entry
from optimizer.cli.app import app


@pytest.mark.parametrize(
    ("arguments", "early"),
    [
        (["solve", "spec.yaml"], True),
        (["solve"], False),
        (["solve", "--help"], False),
        (["catalog", "list"], False),
        ([], False),
    ],
)
def test_only_a_command_that_solves_makes_a_solver_ready(arguments: list[str], early: bool) -> None:
    assert entry._solves(arguments) == early


def test_every_command_that_solves_exists() -> None:
    names = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(entry.SOLVING) < names
