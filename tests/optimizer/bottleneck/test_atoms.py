from collections.abc import Callable

from catalog.parts import Evidence
from catalog.read import Snapshot
from optimizer.bottleneck.atoms import atoms_of
from optimizer.bottleneck.restrictions import Exclusions, Names, Pin, Refusal
from optimizer.bottleneck.rows import missing
from optimizer.question import pose
from requirements_specs.owned import OwnedMachines
from requirements_specs.paths import with_values
from requirements_specs.requirement import LatencyLimit, Metric, Statistic
from requirements_specs.serving import Assumption, Budget, IntegerChoice, ServingSpec

SpecOf = Callable[..., ServingSpec]
LIMITS = [LatencyLimit(metric=Metric.TPOT, statistic=Statistic.P99, limit_s=0.05)]
SILENT = tuple(
    Assumption(key=key, value="", why="not stated")
    for key in ("inventory.tiers", "inventory.undated", "inventory.estimated_parts", "engines", "formats.kv")
)


def test_atoms_are_numbered_limits_first_then_caps_then_restrictions(snapshot: Snapshot, spec_of: SpecOf) -> None:
    spec = spec_of(slo=LIMITS, budget=Budget(usd_per_hour=9.0), most=8).model_copy(update={"assumed": SILENT})
    atoms = atoms_of(spec, snapshot)
    assert atoms.ids == (
        "slo.tpot.p99", "budget.usd_per_hour", "inventory.max_accelerators", "inventory.tiers",
        "inventory.accelerators", "inventory.estimated_parts", "inventory.undated", "formats.weights", "layout.tp",
        "layout.pp",
    )  # fmt: skip
    assert (list(atoms.limit_numbers), list(atoms.cap_numbers)) == ([0], [1, 2])
    assert {atoms.ids[number] for number in atoms.assumed} == {
        "inventory.tiers", "inventory.estimated_parts", "inventory.undated",
    }  # fmt: skip


def test_what_is_stated_is_no_assumption_and_what_is_permitted_no_atom(snapshot: Snapshot, spec_of: SpecOf) -> None:
    spec = with_values(spec_of(), {"inventory.undated": True})
    atoms = atoms_of(spec, snapshot)
    assert not atoms.assumed
    assert "inventory.undated" not in atoms.ids
    assert {"inventory.tiers", "inventory.estimated_parts", "engines"} <= set(atoms.ids)


def test_a_dropped_list_of_formats_keeps_what_it_states(snapshot: Snapshot, spec_of: SpecOf) -> None:
    stated = {"formats.weights": ("int4",), "formats.activations": ("int8",), "formats.kv": ("fp8",)}
    atoms = atoms_of(with_values(spec_of(slo=LIMITS), stated), snapshot)
    dropped = atoms.dropped(range(len(atoms.ids)))
    assert dropped["formats.weights"] == ("int4", "bf16", "fp8")
    assert dropped["formats.activations"] == ("int8", "bf16", "fp8")  # those of int4, bf16 and fp8 weights
    assert dropped["formats.kv"] == ("fp8", "bf16")
    assert dropped["slo.tpot.p99"] is dropped["inventory.accelerators"] is dropped["layout.tp"] is None
    assert dropped["inventory.tiers"] == ("on_demand", "spot")


def test_restrictions_widen_by_just_the_value_that_they_exclude() -> None:
    assert not Names(("a", "b")).admits("c")
    assert Names(("a", "b")).widened("c") == ("a", "b", "c")
    assert not Exclusions(("a", "b")).admits("a")
    assert Exclusions(("a", "b")).widened("a") == ("b",)
    assert not Refusal(False).admits(True)
    assert Refusal(False).widened(True) is True
    for choice, value, wider in (
        (IntegerChoice(values=(1, 4)), 2, IntegerChoice(values=(1, 2, 4))),
        (IntegerChoice(least=4), 2, IntegerChoice(least=2)),
        (IntegerChoice(least=2, greatest=4), 8, IntegerChoice(least=2, greatest=8)),
    ):
        assert not Pin(choice).admits(value)
        assert Pin(choice).widened(value) == wider
        assert wider.allows(value)


def test_a_part_that_the_spec_brings_needs_no_permission(snapshot: Snapshot, spec_of: SpecOf) -> None:
    part = snapshot.accelerators["h100-sxm-80gb"].model_copy(update={"evidence": Evidence.ESTIMATED})
    estimated = snapshot.model_copy(update={"accelerators": snapshot.accelerators | {part.id: part}})
    for own, missed in (((), True), ((part.id,), False)):
        spec = with_values(spec_of(), {"inventory.custom_accelerators": own})
        atoms = atoms_of(spec, estimated)
        problem = pose(with_values(spec, {"inventory.estimated_parts": True}), estimated)
        offers = missing(problem.space, atoms, spec.inventory, estimated).offers
        number = atoms.ids.index("inventory.estimated_parts")
        assert (offers >> number & 1 == missed).all()


def test_owned_machines_are_spared_by_the_filters_of_what_is_rented(snapshot: Snapshot, spec_of: SpecOf) -> None:
    mine = OwnedMachines(
        name="mine", accelerator="h100-sxm-80gb", accelerators=8, machines=2, usd_micro_per_hour=1,
        scale_up="nvlink", source="a test",
    )  # fmt: skip
    narrow = {"inventory.providers": ("lambda",), "inventory.tiers": ("spot",), "inventory.owned": (mine,)}
    spec = with_values(spec_of(), narrow)
    atoms = atoms_of(spec, snapshot)
    problem = pose(with_values(spec, atoms.dropped(atoms.restriction_numbers)), snapshot)
    offers = missing(problem.space, atoms, spec.inventory, snapshot).offers
    by_owned = {offer.provider == "owned": bits for offer, bits in zip(problem.space.offers, offers, strict=True)}
    assert by_owned[True] == 0
    assert by_owned[False] != 0
