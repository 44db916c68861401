"""What holds for every test."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tiphys.testing")

# Machines differ in speed, and a slow example is no wrong one.
settings.register_profile(
    "tiphys", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("tiphys")


@pytest.fixture(autouse=True)
async def _no_leaked_tasks(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail a test that leaves a task behind."""
    yield
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        await asyncio.sleep(0)
        left = {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}
        if left:  # what was cancelled last may still be on its way out
            _, left = await asyncio.wait(left, timeout=0.5)
        assert not left, f"tasks were left behind: {left}"
