"""Keys that were seen lately."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tiphys.aio import Recent

SECONDS = 60.0
STEPS = st.lists(st.tuples(st.sampled_from("abcdef"), st.floats(0.0, 45.0), st.booleans()))


@given(STEPS)
def test_a_key_is_known_for_the_time_that_was_asked_for_and_hardly_longer(
    steps: list[tuple[str, float, bool]],
) -> None:
    recent, now = Recent(SECONDS), 0.0
    seen: dict[str, float] = {}
    for key, pause, forget in steps:
        now += pause
        if forget:
            recent.discard(key)
            seen.pop(key, None)
            assert key not in recent
            continue
        new = recent.add(key, now)
        age = now - seen[key] if key in seen else None
        if age is None:
            assert new
        elif age <= SECONDS:
            assert not new
        if new:
            seen[key] = now
        assert key in recent


def test_a_key_is_forgotten_in_time() -> None:
    recent = Recent(SECONDS)
    moments = [0.0, *(10.0 * n for n in range(1, 8)), 70.1]
    assert all(later - earlier < 60 for earlier, later in pairwise(moments))
    for moment in moments:
        recent.add(("other", moment), moment)
        if moment == 0.0:
            recent.add("key", moment)

    assert recent.add("key", 71.0)


def test_a_key_takes_about_eight_bytes_once_it_is_some_seconds_old() -> None:
    recent = Recent(SECONDS)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(100_000):
            recent.add(f"an-event-with-a-long-id-{number}", number * 0.0005)
        recent.add("later", 61.0)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert after - before < 1_000_000
