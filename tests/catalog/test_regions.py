from collections import Counter

from catalog.read import Snapshot
from catalog.regions import RegionScope


def test_scopes(snapshot: Snapshot) -> None:
    scopes = Counter(region.scope for region in snapshot.regions.values())
    assert scopes == {RegionScope.CLOUD_REGION: 104, RegionScope.COUNTRY: 50, RegionScope.US_STATE: 51}


def test_carbon_has_a_method_and_a_year(snapshot: Snapshot) -> None:
    for region in snapshot.regions.values():
        stated = region.carbon_g_per_kwh is not None
        assert stated == (region.carbon_method is not None) == (region.carbon_year is not None), region.id
        assert region.carbon_g_per_kwh is None or 0.0 <= region.carbon_g_per_kwh <= 1200.0
        assert region.pue is None or 1.0 <= region.pue <= 2.0


def test_a_region(snapshot: Snapshot) -> None:
    virginia = snapshot.regions["aws/us-east-1"]
    assert virginia.carbon_g_per_kwh == 396.25
    assert virginia.carbon_method == "location-based, consumption"
    assert (virginia.pue, virginia.wue_l_per_kwh, virginia.electricity_usd_per_kwh) == (1.15, 0.12, 0.0892)
