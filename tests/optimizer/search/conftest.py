from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import pytest

from catalog.offers import Offer
from catalog.read import Snapshot, load
from optimizer.topology.format_choices import format_choices
from optimizer.topology.layouts import CandidateSpace, candidate_space
from requirements_specs.serving import Formats, IntegerChoice, Layout

OFFERS = (
    "lambda/gpu_1x_h100_sxm5/global/on_demand",
    "lambda/gpu_8x_h100_sxm5/global/on_demand",
    "azure/Standard_NC48ads_A100_v4/eastus/on_demand",
    "azure/Standard_NC48ads_A100_v4/eastus2/on_demand",
    "azure/Standard_NC48ads_A100_v4/westus/on_demand",
)
ONE_RANK = Layout(tp=IntegerChoice(values=(1,)), pp=IntegerChoice(values=(1,)))


@pytest.fixture(scope="session")
def snapshot() -> Snapshot:
    return load()


@pytest.fixture(scope="session")
def space_of(snapshot: Snapshot) -> Callable[..., CandidateSpace]:
    """Space of an 8B model in bf16, one rank per replica, on offers with the given micro-dollars per hour."""
    by_id = {offer.id: offer for offer in snapshot.offers}

    def build(
        prices: Sequence[int], pins: Layout = ONE_RANK, stock: Mapping[int, int] = MappingProxyType({})
    ) -> CandidateSpace:
        offers: list[Offer] = [
            by_id[name].model_copy(update={"usd_micro_per_hour": price, "most_instances": stock.get(index)})
            for index, (name, price) in enumerate(zip(OFFERS, prices, strict=False))
        ]
        model = snapshot.models["llama-3.1-8b"]
        choices = format_choices(model, Formats(weights=("bf16",)), snapshot.formats)
        return candidate_space(
            model,
            offers,
            snapshot.accelerators,
            choices,
            [snapshot.engines["vllm"]],
            pins,
            estimated_parts=False,
            undated=False,
        )

    return build
