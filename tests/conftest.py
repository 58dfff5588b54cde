"""Hypothesis profiles: `suite` repeats the same examples in every run, `bench` draws ten times as many.

`make bench` sets ROOFPLAN_PROFILE=bench.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite",
    max_examples=200,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("bench", settings.get_profile("suite"), max_examples=2000)
settings.load_profile(os.environ.get("ROOFPLAN_PROFILE", "suite"))
