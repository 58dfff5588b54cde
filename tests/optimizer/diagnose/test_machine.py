import pytest

from catalog.read import load
from optimizer.diagnose.machine import read_machine
from optimizer.errors import QuestionError


@pytest.mark.parametrize(
    ("text", "part", "hosts", "per_host"),
    [
        ("8xH100", "h100-sxm-80gb", 1, 8),
        ("2x8xH200", "h200-sxm-141gb", 2, 8),
        ("4*A100-80G", "a100-sxm-80gb", 1, 4),
        (" 8 × l40s ", "l40s-48gb", 1, 8),
        ("H100", "h100-sxm-80gb", 1, 1),
        ("16xH100", "h100-sxm-80gb", 2, 8),
        ("2*8*H100", "h100-sxm-80gb", 2, 8),
    ],
)
def test_forms(text: str, part: str, hosts: int, per_host: int) -> None:
    machine = read_machine(text, load())
    assert (machine.accelerator.id, machine.hosts, machine.per_host) == (part, hosts, per_host)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a machine; write 8xH100"),
        ("8", "not a machine"),
        ("0xH100", "1 to 100,000 accelerators"),
        ("8xH1000", "unknown accelerator 'H1000'; nearest: h100-sxm-80gb"),
        ("999999x999999xH100", "1 to 100,000 accelerators"),
        ("12xH100", "not whole hosts of 8"),
    ],
)
def test_what_is_no_machine(text: str, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        read_machine(text, load())


def test_a_group_stays_in_its_host_and_in_its_links() -> None:
    assert read_machine("4xH100", load()).domain == 4
    assert read_machine("2x8xH100", load()).domain == 8
    assert read_machine("8xL40S", load()).domain == 8
