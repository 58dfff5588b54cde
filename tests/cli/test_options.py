from collections.abc import Callable

from tests.cli.conftest import Ran

Run = Callable[..., Ran]


def test_help_lists_the_commands_and_the_exit_codes(run: Run) -> None:
    ran = run("--help")
    assert ran.code == 0
    for word in (
        "solve",
        "inverse",
        "predict",
        "catalog",
        "0 answered",
        "2 bad input",
        "3 proved infeasible",
        "4 stopped",
    ):
        assert word in ran.out


def test_an_unknown_command_or_option_is_bad_input(run: Run) -> None:
    for arguments in (("slove", "x.yaml"), ("solve", "x.yaml", "--jsno"), ("solve",), ("catalog", "list", "walls")):
        ran = run(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err
