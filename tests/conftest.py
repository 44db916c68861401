"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Machines differ in speed, and a slow example is no wrong one.
settings.register_profile(
    "tiphys", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("tiphys")
