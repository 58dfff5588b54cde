from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import cast

import pytest

from optimizer.search.columns import Column, tie_key
from optimizer.topology.layouts import CandidateSpace, ParallelLayout


@dataclass(frozen=True)
class Fields:
    """Everything that the order of ties compares, in that order; smaller comes first except for bits."""

    usd_micro_per_hour: int
    largest_ratio: float
    accelerators: int
    weight_bits: float
    kv_bits: float
    provider: str
    instance: str
    region: str
    tier: str
    engine: str
    formats: str
    tp: int
    pp: int
    dp_attention: int
    ep: int
    token_budget: int
    max_num_seqs: int


FIRST = Fields(1, 0.1, 2, 16.0, 16.0, "a", "a", "a", "on_demand", "a", "a", 2, 2, 2, 2, 512, 8)
LATER = Fields(2, 0.2, 10, 8.0, 8.0, "b", "b", "b", "spot", "b", "b", 10, 10, 10, 10, 1024, 16)
ORDER = tuple(FIRST.__dataclass_fields__)


def key_of(fields: Fields) -> tuple[object, ...]:
    space = SimpleNamespace(
        offers=[
            SimpleNamespace(
                provider=fields.provider,
                instance=fields.instance,
                region=fields.region,
                tier=SimpleNamespace(value=fields.tier),
            )
        ],
        keys=[SimpleNamespace(engine=SimpleNamespace(id=fields.engine))],
        formats=[
            SimpleNamespace(
                weights=fields.formats,
                activations=fields.formats,
                kv=fields.formats,
                weight_bits=fields.weight_bits,
                kv_bits=fields.kv_bits,
            )
        ],
        layouts=[ParallelLayout(fields.tp, fields.pp, fields.ep, fields.dp_attention)],
    )
    column = Column(
        placement=0,
        offer=0,
        key=0,
        token_budget=fields.token_budget,
        max_num_seqs=fields.max_num_seqs,
        units=1,
        replicas=1,
        instances=1,
        accelerators=fields.accelerators,
        usd_micro_per_hour=fields.usd_micro_per_hour,
        largest_ratio=fields.largest_ratio,
    )
    return tie_key(cast(CandidateSpace, space), column)


@pytest.mark.parametrize("name", ORDER)
def test_a_field_decides_against_all_later_ones(name: str) -> None:
    """Better in one field and worse in every later one comes first; numbers compare as numbers (2 before 10)."""
    worse_later = {later: getattr(LATER, later) for later in ORDER[ORDER.index(name) + 1 :]}
    assert key_of(replace(FIRST, **worse_later)) < key_of(replace(FIRST, **{name: getattr(LATER, name)}))


def test_equal_designs_have_equal_keys() -> None:
    assert key_of(FIRST) == key_of(replace(FIRST))
