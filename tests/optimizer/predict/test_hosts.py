"""A tensor-parallel group and the host that it runs in."""

from pathlib import Path

import pytest

from catalog.parts import LinkKind
from catalog.read import load
from optimizer.additions import Additions
from optimizer.predict.cases import Case, Unsupported, read_case
from tests.optimizer.predict.test_predict import BASE


def case(host_accelerators: int | None, **changes: str) -> Case:
    return read_case(BASE | changes, Additions(load(), Path()), host_accelerators)


def test_a_group_that_leaves_its_host_runs_over_the_path_to_the_network() -> None:
    assert case(None, tp="8").row.link is LinkKind.NVLINK
    assert case(8, tp="8").row.link is LinkKind.NVLINK
    assert case(4, tp="8").row.link is LinkKind.PCIE
    assert case(8, tp="16", accelerators="16").row.link is LinkKind.PCIE


def test_without_a_host_a_group_may_not_leave_its_domain() -> None:
    with pytest.raises(Unsupported, match="leaves the scale-up domain of 8"):
        case(None, tp="16", accelerators="16")
