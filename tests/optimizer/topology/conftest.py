from collections.abc import Callable

import pytest

from catalog.offers import Offer
from catalog.read import Snapshot, load
from optimizer.topology.machines import Machine, machine_of

MACHINES = {
    "hgx": "azure/Standard_ND96isr_H100_v5/australiaeast/on_demand",
    "hgx without network": "lambda/gpu_8x_h100_sxm5/global/on_demand",
    "sixteen": "gcp/a2-megagpu-16g/us-central1/on_demand",
    "pcie": "aws/g6e.48xlarge/us-east-1/on_demand",
    "bridged": "azure/Standard_NC96ads_A100_v4/eastus/on_demand",
    "pair": "azure/Standard_NC48ads_A100_v4/eastus/on_demand",
    "single": "lambda/gpu_1x_h100_sxm5/global/on_demand",
    "single with network": "azure/Standard_NC24ads_A100_v4/eastus/on_demand",
    "amd": "azure/Standard_ND96isr_MI300X_v5/australiasoutheast/on_demand",
}


@pytest.fixture(scope="session")
def snapshot() -> Snapshot:
    return load()


@pytest.fixture(scope="session")
def offer(snapshot: Snapshot) -> Callable[[str], Offer]:
    by_id = {offer.id: offer for offer in snapshot.offers}
    return lambda name: by_id[MACHINES[name]]


@pytest.fixture(scope="session")
def machine(snapshot: Snapshot, offer: Callable[[str], Offer]) -> Callable[[str], Machine]:
    """Real machines by the names of MACHINES."""
    return lambda name: machine_of(offer(name), snapshot.accelerators[offer(name).accelerator])
