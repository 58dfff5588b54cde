from collections.abc import Callable

import pytest

from catalog.formats import resolve
from catalog.models import Model
from catalog.parts import LinkKind
from catalog.read import Snapshot, load
from optimizer.arithmetic.replica_rows import ReplicaRow
from optimizer.arithmetic.serving import Replicas, build_replicas

MakeRow = Callable[..., ReplicaRow]
MakeReplicas = Callable[..., Replicas]


@pytest.fixture(scope="session")
def snapshot() -> Snapshot:
    return load()


@pytest.fixture(scope="session")
def make_row(snapshot: Snapshot) -> MakeRow:
    def make(
        model: Model,
        accelerator: str = "h100-sxm-80gb",
        *,
        tp: int = 1,
        pp: int = 1,
        ep: int = 1,
        dp_attention: int = 1,
        weights: str = "bf16",
        kv: str = "bf16",
        engine: str = "vllm",
        link: LinkKind | None = None,
        p2p: bool = True,
        stage_bytes_per_s: float | None = None,
    ) -> ReplicaRow:
        part = snapshot.accelerator(accelerator)
        form = resolve(snapshot.formats, weights, model.native_format)
        return ReplicaRow(
            accelerator=part,
            link=link or (part.link.kind if tp > 1 else LinkKind.NONE),
            p2p=p2p,
            stage_bytes_per_s=stage_bytes_per_s or (part.pcie_bytes_per_s if pp > 1 else None),
            tp=tp,
            pp=pp,
            ep=ep,
            dp_attention=dp_attention,
            weights=form,
            activations=snapshot.formats[form.kernels[0].activations],
            kv=snapshot.formats[kv],
            experts=form,
            engine=snapshot.engines[engine],
        )

    return make


@pytest.fixture(scope="session")
def make_replicas(snapshot: Snapshot, make_row: MakeRow) -> MakeReplicas:
    def make(model: str, *accelerators: str, **choices: object) -> Replicas:
        found = snapshot.model(model)
        rows = [make_row(found, part, **choices) for part in accelerators or ("h100-sxm-80gb",)]
        return build_replicas(found, rows, snapshot)

    return make
