"""Write down the wiring of every machine of the catalog: `python -m optimizer.topology.compile`."""

from __future__ import annotations

import sys

from catalog.read import Snapshot, load
from optimizer.topology.cluster import wiring_of_graph
from optimizer.topology.machines import machine_of
from optimizer.topology.wiring import COMPILED, compiled_text, key_of


def compile_wirings(snapshot: Snapshot) -> str:
    """The compiled file of a catalog; the same catalog gives the same text."""
    machines = {machine_of(offer, snapshot.accelerators[offer.accelerator]) for offer in snapshot.offers}
    return compiled_text({key_of(machine): wiring_of_graph(machine) for machine in machines})


def main() -> None:
    """Write the packaged file."""
    text = compile_wirings(load())
    COMPILED.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{COMPILED.name}: {text.count(chr(10)) - 2} wirings\n")


if __name__ == "__main__":
    main()
