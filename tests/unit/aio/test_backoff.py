"""Pauses between attempts."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tiphys.aio import Backoff, capped_backoff


@given(
    duration=st.floats(0, 100),
    factor=st.floats(0, 5),
    jitter=st.floats(0, 2),
    steps=st.integers(1, 9),
)
def test_pauses_stand_between_attempts_and_jitter_only_lengthens_them(
    duration: float, factor: float, jitter: float, steps: int
) -> None:
    pauses = list(Backoff(duration, factor, jitter, steps).pauses())
    plain = list(Backoff(duration, factor, 0, steps).pauses())

    assert len(pauses) == steps - 1
    for pause, least in zip(pauses, plain, strict=True):
        assert least <= pause <= least * (1 + jitter) + 1e-9


def test_endless_pauses_grow_up_to_their_cap() -> None:
    pauses = list(itertools.islice(capped_backoff(1, 8), 50))

    assert pauses[0] <= 1
    assert all(4 <= pause <= 8 for pause in pauses[5:])
