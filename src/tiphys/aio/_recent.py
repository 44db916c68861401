"""What was seen lately, in little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Hashable

_PARTS = 6


class Recent:
    """
    The keys that came within the last *seconds*, up to a sixth longer.

    Millions may have to be remembered, so of each only its hash is kept, in 8 bytes.  Two keys with
    one hash are taken for the same: with 100,000 keys that befalls one key in 10¹⁴.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._newest: set[int] = set()
        self._since: float | None = None  # when the first of the newest came
        self._older: deque[tuple[float, array[int]]] = deque()  # the end of a period, sorted hashes

    def __contains__(self, key: Hashable) -> bool:
        number = hash(key)
        return number in self._newest or any(
            _place(numbers, number) is not None for _, numbers in self._older
        )

    def add(self, key: Hashable, now: float) -> bool:
        """Remember *key*; false when it is known already.  *now* never goes back."""
        if self._since is not None and now - self._since >= self._seconds / _PARTS:
            self._older.append((now, array("q", sorted(self._newest))))
            self._newest, self._since = set(), None
        while self._older and self._older[0][0] < now - self._seconds:
            self._older.popleft()
        if key in self:
            return False
        self._newest.add(hash(key))
        self._since = now if self._since is None else self._since
        return True

    def discard(self, key: Hashable) -> None:
        """Forget *key*."""
        number = hash(key)
        self._newest.discard(number)
        for _, numbers in self._older:
            if (place := _place(numbers, number)) is not None:
                numbers.pop(place)


def _place(numbers: array[int], number: int) -> int | None:
    place = bisect_left(numbers, number)
    return place if place < len(numbers) and numbers[place] == number else None
