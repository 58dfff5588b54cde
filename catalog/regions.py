"""Carbon, water and electricity of the places where instances run.

Units: g CO2e/kWh, litres/kWh, $/kWh; PUE is facility energy over IT energy.
"""

from enum import StrEnum

from catalog.parts import Frozen


class RegionScope(StrEnum):
    """What a region is; carbon of different scopes is never mixed in one comparison."""

    CLOUD_REGION = "cloud_region"
    COUNTRY = "country"
    US_STATE = "us_state"


class Region(Frozen):
    """One place. `id` is `provider/region` for a cloud region, `country/ISO3` or `us-state/code` otherwise.

    `carbon_method` and `carbon_year` belong to `carbon_g_per_kwh`: a location-based average and a consumption-based
    one differ more than two sources of the same method. None where no source states the value.
    `water_offsite_l_per_kwh` is the water of generating the electricity; total water is WUE + PUE × off-site.
    """

    id: str
    scope: RegionScope
    location: str
    carbon_g_per_kwh: float | None
    carbon_method: str | None
    carbon_year: int | None
    pue: float | None
    wue_l_per_kwh: float | None
    water_offsite_l_per_kwh: float | None
    electricity_usd_per_kwh: float | None
    electricity_basis: str | None
    source: str
