import subprocess
import sys
from dataclasses import replace

from catalog.read import Snapshot
from optimizer.topology.cluster import wiring_of_graph
from optimizer.topology.compile import compile_wirings
from optimizer.topology.machines import machine_of
from optimizer.topology.wiring import COMPILED, key_of, wiring_of


def test_the_compiled_file_is_that_of_the_catalog(snapshot: Snapshot) -> None:
    fresh = compile_wirings(snapshot) == COMPILED.read_text(encoding="utf-8")
    assert fresh, "the compiled wirings are stale; write them anew: python -m optimizer.topology.compile"


def test_every_machine_of_the_catalog_is_wired_as_its_graph_says(snapshot: Snapshot) -> None:
    machines = {machine_of(offer, snapshot.accelerators[offer.accelerator]) for offer in snapshot.offers}
    assert len({key_of(machine) for machine in machines}) > 20
    for machine in machines:
        assert wiring_of(machine) == wiring_of_graph(machine), machine


def test_a_machine_that_is_not_in_the_catalog_is_put_to_the_graph(snapshot: Snapshot) -> None:
    offer = snapshot.offers[0]
    known = machine_of(offer, snapshot.accelerators[offer.accelerator])
    unknown = replace(known, accelerators=24, scale_up_domain=12, network_bytes_per_s=7e9)
    wiring = wiring_of(unknown)
    assert wiring == wiring_of_graph(unknown)
    assert wiring.across_instances_bytes_per_s == 7e9


def test_an_answer_over_the_catalog_imports_no_graph_library() -> None:
    code = (
        "import sys; from pathlib import Path; from catalog.read import load;"
        "from optimizer.additions import read_question; from optimizer.question import pose;"
        "pose(*read_question(Path('examples/chat_70b.yaml'), load()));"
        "assert 'networkx' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
