"""A moment that moves over the calendar of a zone."""

from __future__ import annotations

import datetime

from tiphys.languages import zones

__all__ = ["Cursor"]

_DAY = 86_400


class Cursor:
    """
    A moment in whole seconds and what the clock of its zone shows.

    *unix* and *wall* may be read, and are changed through the methods only.
    """

    __slots__ = ("_offset", "_zone", "unix", "wall")

    def __init__(self, zone: datetime.tzinfo | None, unix: int) -> None:
        self._zone = zone
        self.go(unix)

    @property
    def weekday(self) -> int:
        """The day of the week, 0 for Sunday."""
        return ((self.unix + self._offset) // _DAY + 4) % 7  # 1970 began on a Thursday

    def go(self, unix: int) -> None:
        """Move to an instant."""
        self.unix = unix
        self._offset = 0 if self._zone is datetime.UTC else zones.offset_at(self._zone, unix)[0]
        self.wall = zones.wall_from_unix(unix, self._offset)

    def move(self, seconds: int) -> None:
        """Move by real seconds, whatever the clock does meanwhile."""
        self.go(self.unix + seconds)

    def move_days(self, days: int) -> None:
        """Move to the same clock time of another day."""
        wall = self.wall
        reading = zones.unix_from_wall(wall) + days * _DAY
        self.go(zones.unix_from_reading(reading, self._zone))

    def move_to_next_month(self) -> None:
        """Move to the same day and clock time of the next month; day 31 may become day 1."""
        year, month = divmod(self.wall.year * 12 + self.wall.month, 12)
        first = self.wall._replace(year=year, month=month + 1, day=1)
        reading = zones.unix_from_wall(first) + (self.wall.day - 1) * _DAY
        self.go(zones.unix_from_reading(reading, self._zone))

    def cut(self, fields: int) -> None:
        """Set all but the first *fields* of year, month, day, hour, minute, second to the least."""
        kept = self.wall[:fields]
        least = (1, 1, 1, 0, 0, 0)[fields:]
        self.go(zones.unix_from_wall(zones.Wall(*kept, *least), self._zone))
