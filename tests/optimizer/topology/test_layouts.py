from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.models import Attention
from catalog.offers import Offer
from catalog.parts import Evidence, LinkKind
from catalog.read import Snapshot, load
from optimizer.topology.format_choices import format_choices
from optimizer.topology.layouts import (
    MAX_NUM_SEQS,
    ROWS_PER_PLACEMENT,
    TOKEN_BUDGETS,
    CandidateSpace,
    Illegal,
    ParallelLayout,
    candidate_space,
    layouts_of,
    machine_refusal,
    model_refusal,
    pinned_out,
    tensor_groups,
)
from optimizer.topology.machines import Machine
from requirements_specs.serving import Formats, IntegerChoice, Layout

GetMachine = Callable[[str], Machine]
GetOffer = Callable[[str], Offer]


def layout(tp: int = 1, pp: int = 1, ep: int = 1, dp: int = 1) -> ParallelLayout:
    return ParallelLayout(tp, pp, ep, dp)


def space_of(
    snapshot: Snapshot,
    model: str,
    offers: Sequence[Offer],
    *,
    formats: Formats | None = None,
    pins: Layout | None = None,
    estimated: bool = False,
    undated: bool = False,
    tiers_differ: bool = False,
) -> CandidateSpace:
    entity = snapshot.models[model]
    return candidate_space(
        entity,
        offers,
        snapshot.accelerators,
        format_choices(entity, formats or Formats(), snapshot.formats),
        [snapshot.engines["vllm"]],
        pins or Layout(),
        estimated_parts=estimated,
        undated=undated,
        tiers_differ=tiers_differ,
    )


def test_engine_limits_are_those_of_the_contract() -> None:
    assert len(TOKEN_BUDGETS) == 8
    assert (TOKEN_BUDGETS[0], TOKEN_BUDGETS[-1]) == (512, 32768)
    assert len(MAX_NUM_SEQS) == 16
    assert (MAX_NUM_SEQS[0], MAX_NUM_SEQS[-1]) == (8, 1024)
    assert ROWS_PER_PLACEMENT == 128


def test_a_dense_model_has_tensor_and_pipeline_layouts_only(snapshot: Snapshot) -> None:
    found = layouts_of(snapshot.models["llama-3.1-8b"])
    assert {(each.tp, each.pp) for each in found} == set(product((1, 2, 4, 8, 16), (1, 2, 4, 8)))
    assert len(found) == 20
    assert {(each.ep, each.dp_attention) for each in found} == {(1, 1)}


def test_experts_add_expert_and_attention_parallelism(snapshot: Snapshot) -> None:
    """Experts over none or all ranks; attention over any divisor: Σ (1 + [tp > 1])·(1 + log₂ tp) of 5, times 4."""
    found = layouts_of(snapshot.models["mixtral-8x7b"])
    assert len(found) == len(set(found)) == (1 + 2 * (2 + 3 + 4 + 5)) * 4
    assert all(each.tp % each.dp_attention == 0 for each in found)
    assert all(each.ep in {1, each.tp} for each in found)


@pytest.mark.parametrize(
    ("model", "shape", "reason"),
    [
        ("llama-3.1-8b", layout(tp=8), None),
        ("llama-3.1-8b", layout(tp=16), None),  # 32 heads over 16 ranks, 8 KV heads copied twice
        ("llama-3.1-8b", layout(tp=8, pp=8), None),
        ("deepseek-v3", layout(tp=8, ep=8, dp=8), None),
        ("deepseek-v3", layout(tp=16), None),  # expert shards of 2,048/16 = 128, one block
        ("deepseek-v3", layout(tp=16, ep=16), None),
        ("mixtral-8x7b", layout(tp=16, ep=16), Illegal.EXPERTS),  # 8 experts over 16 ranks
        ("mixtral-8x7b", layout(tp=8, ep=8, dp=2), None),
    ],
)
def test_known_layouts(snapshot: Snapshot, model: str, shape: ParallelLayout, reason: Illegal | None) -> None:
    assert model_refusal(snapshot.models[model], shape) is reason


@pytest.mark.parametrize(
    ("change", "shape", "reason"),
    [
        ({"heads": 40, "kv_heads": 8}, layout(tp=8), None),
        ({"heads": 40, "kv_heads": 8}, layout(tp=16), Illegal.HEADS),
        ({"heads": 36, "kv_heads": 4}, layout(tp=4), None),
        ({"heads": 36, "kv_heads": 4}, layout(tp=8), Illegal.HEADS),
        ({"heads": 48, "kv_heads": 6}, layout(tp=4), Illegal.HEADS),  # 6 KV heads neither divide over 4 nor copy
        ({"heads": 48, "kv_heads": 6}, layout(tp=2), None),
        ({"heads": 32, "kv_heads": 1, "attention": Attention.MQA}, layout(tp=16), None),
        ({"ffn": 14337}, layout(tp=2), Illegal.FEED_FORWARD),
        ({"layers": 6}, layout(pp=8), Illegal.LAYERS),
        ({"layers": 8}, layout(pp=8), None),
    ],
)
def test_divisors(snapshot: Snapshot, change: dict[str, int], shape: ParallelLayout, reason: Illegal | None) -> None:
    model = snapshot.models["llama-3.1-8b"].model_copy(update=change)
    assert model_refusal(model, shape) is reason


def test_attention_data_parallelism_divides_heads_over_fewer_ranks(snapshot: Snapshot) -> None:
    odd = snapshot.models["mixtral-8x7b"].model_copy(update={"heads": 4, "kv_heads": 4})
    assert model_refusal(odd, layout(tp=8)) is Illegal.HEADS
    assert model_refusal(odd, layout(tp=8, dp=2)) is None


def test_block_scaled_experts_need_whole_blocks(snapshot: Snapshot) -> None:
    """1,536 columns are twelve blocks of 128: four to a rank of four, but one and a half to a rank of eight."""
    block = snapshot.models["deepseek-v3"].model_copy(update={"expert_ffn": 1536})
    assert model_refusal(block, layout(tp=4)) is None
    assert model_refusal(block, layout(tp=8)) is Illegal.EXPERTS
    assert model_refusal(block, layout(tp=8, ep=8)) is None
    plain = block.model_copy(update={"native_format": "bf16"})
    assert model_refusal(plain, layout(tp=8)) is None


@pytest.mark.parametrize(
    ("name", "shape", "reason"),
    [
        ("hgx", layout(tp=8), None),
        ("hgx", layout(tp=16), Illegal.LEAVES_DOMAIN),
        ("hgx", layout(tp=8, pp=4), None),
        ("hgx without network", layout(tp=8, pp=2), Illegal.NO_NETWORK),
        ("hgx without network", layout(tp=4, pp=2), None),
        ("sixteen", layout(tp=16), None),
        ("sixteen", layout(tp=16, pp=2), Illegal.NO_NETWORK),
        ("pcie", layout(tp=8), None),
        ("bridged", layout(tp=2), None),
        ("bridged", layout(tp=4), None),
        ("bridged", layout(tp=8), Illegal.LEAVES_DOMAIN),
        ("single", layout(tp=2), Illegal.LEAVES_DOMAIN),
        ("single", layout(pp=2), Illegal.NO_NETWORK),
        ("single with network", layout(pp=2), None),
    ],
)
def test_layouts_on_real_machines(
    machine: GetMachine, name: str, shape: ParallelLayout, reason: Illegal | None
) -> None:
    assert machine_refusal(machine(name), shape) is reason


def test_a_replica_fills_whole_instances(snapshot: Snapshot) -> None:
    """Twelve accelerators hold one group of eight; sixteen would need one and a third instances."""
    offer = next(offer for offer in snapshot.offers if offer.accelerators == 12)
    space = space_of(snapshot, "llama-3.1-8b", [offer], estimated=True, undated=True)
    assert space.illegal[Illegal.PARTIAL_INSTANCES] > 0
    for placement, key in enumerate(space.placement_key.tolist()):
        ranks = space.layouts[key].accelerators
        assert ranks <= 12
        assert space.replicas_per_unit[placement] == 12 // ranks
        assert space.instances_per_unit[placement] == 1


def test_units_of_a_replica_over_two_boards(snapshot: Snapshot, offer: GetOffer) -> None:
    space = space_of(snapshot, "llama-3.1-70b", [offer("hgx")], pins=Layout(tp=IntegerChoice(values=(8,))))
    found = {
        space.layouts[key].pp: (instances, replicas, accelerators)
        for key, instances, replicas, accelerators in zip(
            space.placement_key.tolist(),
            space.instances_per_unit.tolist(),
            space.replicas_per_unit.tolist(),
            space.accelerators_per_unit.tolist(),
            strict=True,
        )
    }
    assert found == {1: (1, 1, 8), 2: (2, 1, 16), 4: (4, 1, 32), 8: (8, 1, 64)}


def test_pins() -> None:
    four = IntegerChoice(values=(4,))
    some = IntegerChoice(least=2, greatest=8)
    assert not pinned_out(layout(tp=4), Layout(tp=four))
    assert pinned_out(layout(tp=8), Layout(tp=four))
    assert pinned_out(layout(tp=4, pp=4), Layout(accelerators_per_replica=some))
    assert not pinned_out(layout(tp=4, pp=2), Layout(accelerators_per_replica=some))
    assert pinned_out(layout(tp=4, ep=4), Layout(ep=IntegerChoice(values=(1,))))
    assert pinned_out(layout(tp=4, dp=4), Layout(dp_attention=IntegerChoice(greatest=2)))
    assert pinned_out(layout(pp=2), Layout(pp=IntegerChoice(values=(1, 4))))


def test_pins_are_counted_as_such(snapshot: Snapshot, offer: GetOffer) -> None:
    """One of twenty layouts is left of each of two formats."""
    pins = Layout(tp=IntegerChoice(values=(4,)), pp=IntegerChoice(values=(1,)))
    space = space_of(snapshot, "llama-3.1-8b", [offer("hgx")], pins=pins)
    assert space.candidates == 20 * 2 * 128
    assert space.illegal == {Illegal.PINNED: 19 * 2 * 128}
    assert {each.tp for each in space.layouts} == {4}


def test_parts_without_bf16_are_refused_for_their_formats(snapshot: Snapshot) -> None:
    offers = [offer for offer in snapshot.offers if offer.accelerator.startswith(("v100", "t4"))]
    space = space_of(snapshot, "llama-3.1-8b", offers, estimated=True, undated=True)
    assert not space.keys
    assert space.illegal[Illegal.FORMAT] > 0
    alone = space_of(snapshot, "llama-3.1-8b", offers, undated=True)
    assert alone.illegal == {Illegal.ESTIMATED_PART: alone.candidates}


def test_estimated_parts_and_undated_prices_are_left_out_unless_allowed(snapshot: Snapshot) -> None:
    chosen = {
        (estimated, dated): next(
            offer
            for offer in snapshot.offers
            if (snapshot.accelerators[offer.accelerator].evidence is Evidence.ESTIMATED) is estimated
            and (offer.price_date is not None) is dated
            and not offer.accelerator.startswith(("tpu", "v100", "t4", "inferentia", "trainium"))
            and offer.accelerators == 1
        )
        for estimated, dated in ((False, True), (False, False), (True, True))
    }
    rows = 20 * 2 * 128

    def counted(*, estimated: bool, undated: bool) -> tuple[set[str], int, int]:
        space = space_of(snapshot, "llama-3.1-8b", list(chosen.values()), estimated=estimated, undated=undated)
        used = {space.offers[index].id for indices in space.offers_of_machine for index in indices}
        return used, space.illegal[Illegal.ESTIMATED_PART], space.illegal[Illegal.UNDATED_PRICE]

    plain, undated, estimated = (chosen[key].id for key in ((False, True), (False, False), (True, True)))
    assert counted(estimated=False, undated=False) == ({plain}, rows, rows)
    assert counted(estimated=False, undated=True) == ({plain, undated}, rows, 0)
    assert counted(estimated=True, undated=False) == ({plain, estimated}, 0, rows)
    assert counted(estimated=True, undated=True) == ({plain, undated, estimated}, 0, 0)


def test_offers_of_one_machine_share_their_keys(snapshot: Snapshot) -> None:
    offers = [offer for offer in snapshot.offers if offer.instance == "Standard_ND96isr_H100_v5"]
    one, all_of_them = (space_of(snapshot, "llama-3.1-8b", some) for some in (offers[:1], offers))
    assert len(all_of_them.keys) == len(one.keys)
    assert len(all_of_them.machines) == 1
    prices = [offers[index].usd_micro_per_hour for index in all_of_them.offers_of_machine[0]]
    assert len(prices) == len(offers)
    assert prices == sorted(prices)
    assert all_of_them.rows_of(0) == 128 * len(offers)


def test_tiers_that_differ_share_keys_but_no_machine(snapshot: Snapshot) -> None:
    offers = [offer for offer in snapshot.offers if offer.instance == "Standard_ND96isr_H100_v5"]
    space = space_of(snapshot, "llama-3.1-8b", offers, tiers_differ=True)
    together = space_of(snapshot, "llama-3.1-8b", offers)
    assert len(space.keys) == len(together.keys)
    assert space.candidates == together.candidates
    tiers = [{offers[index].tier for index in indices} for indices in space.offers_of_machine]
    assert sorted(map(len, tiers)) == [1, 1]
    assert sum(map(len, space.offers_of_machine)) == len(offers)


def test_groups_use_the_fastest_link_that_holds_them(snapshot: Snapshot, offer: GetOffer) -> None:
    space = space_of(snapshot, "llama-3.1-8b", [offer("bridged")])
    links = {(row.tp, row.link) for row in space.keys}
    assert links == {(1, LinkKind.NONE), (2, LinkKind.NVLINK_BRIDGE), (4, LinkKind.PCIE)}


SNAPSHOT = load()
MODELS = ("llama-3.1-8b", "qwen3-32b", "deepseek-v3", "gpt-oss-120b", "mixtral-8x7b")


@given(
    st.lists(st.sampled_from(SNAPSHOT.offers), min_size=1, max_size=12, unique_by=lambda offer: offer.id),
    st.sampled_from(MODELS),
    st.booleans(),
    st.booleans(),
    st.sampled_from([Layout(), Layout(tp=IntegerChoice(values=(2, 8))), Layout(pp=IntegerChoice(values=(1,)))]),
)
@settings(max_examples=60)
def test_every_row_is_legal_or_counted(
    offers: list[Offer], model: str, estimated: bool, undated: bool, pins: Layout
) -> None:
    """Against a second count that walks the product row by row."""
    space = space_of(SNAPSHOT, model, offers, pins=pins, estimated=estimated, undated=undated)
    legal = sum(space.rows_of(placement) for placement in range(len(space.placement_key)))
    assert space.candidates == sum(space.illegal.values()) + legal

    entity = SNAPSHOT.models[model]
    formats = format_choices(entity, Formats(), SNAPSHOT.formats)
    assert space.candidates == len(offers) * len(layouts_of(entity)) * len(formats) * 128
    walked = 0
    for offer, shape, choice in product(offers, layouts_of(entity), formats):
        part = SNAPSHOT.accelerators[offer.accelerator]
        ranks = shape.tp * shape.pp
        whole = ranks <= offer.accelerators or (
            ranks % offer.accelerators == 0 and offer.network_bytes_per_s is not None
        )
        needed = {kernel for kernel in (choice.weight_format.kernels_for(choice.activations),) if kernel}
        units = {unit for kernel in needed for unit in (kernel.gemm_precision, kernel.experts_precision)} | {"bf16"}
        if (
            (estimated or part.evidence is not Evidence.ESTIMATED)
            and (undated or offer.price_date is not None)
            and model_refusal(entity, shape) is None
            and shape.tp <= offer.accelerators
            and whole
            and units <= part.peak_flop_per_s.keys()
            and (pins.tp is None or shape.tp in (2, 8))
            and (pins.pp is None or shape.pp == 1)
        ):
            walked += 128
    assert legal == walked


@pytest.mark.parametrize(
    ("accelerators", "domain", "tp", "groups"),
    [(12, 6, 4, 2), (12, 6, 2, 6), (12, 12, 4, 3), (8, 8, 4, 2), (10, 4, 4, 2), (10, 4, 2, 5), (8, 4, 1, 8)],
)
def test_no_tensor_parallel_group_crosses_a_domain(
    machine: GetMachine, accelerators: int, domain: int, tp: int, groups: int
) -> None:
    board = replace(machine("hgx"), accelerators=accelerators, scale_up_domain=domain)
    assert tensor_groups(board, tp) == groups


def test_stages_that_find_no_whole_domain_are_refused(machine: GetMachine) -> None:
    board = replace(machine("hgx"), accelerators=12, scale_up_domain=6)
    assert machine_refusal(board, layout(tp=4, pp=2)) is None
    three = replace(machine("hgx"), accelerators=9, scale_up_domain=3)
    assert machine_refusal(three, layout(tp=2, pp=4)) is Illegal.LEAVES_DOMAIN
    # over two instances the groups must fill each
    assert machine_refusal(board, layout(tp=8, pp=3)) is not None
