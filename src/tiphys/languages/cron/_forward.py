"""
The search for the next match, field by field from the month to the second.

Each step moves the cursor until its field matches and tells whether the larger fields still
hold; if not, the search goes through all of them again. Where clocks change, the outcome depends
on how exactly the cursor moves, so these are the moves of robfig/cron.
"""

from __future__ import annotations

from tiphys.languages.cron._cursor import Cursor
from tiphys.languages.cron._fields import Fields

__all__ = ["find_next"]

_HOUR = 3600


def find_next(fields: Fields, cursor: Cursor, last_year: int) -> bool:
    """Move *cursor* to the first match, or beyond *last_year* and answer False."""
    moved = False
    while cursor.wall.year <= last_year:
        for step in (_month, _day, _hour, _minute, _second):
            before = cursor.unix
            holds = step(fields, cursor, moved)
            moved = moved or cursor.unix != before
            if not holds:
                break
        else:
            return True
    return False


def _month(fields: Fields, cursor: Cursor, moved: bool) -> bool:
    while not fields.months >> cursor.wall.month & 1:
        if not moved:
            moved = True
            cursor.cut(2)
        cursor.move_to_next_month()
        if cursor.wall.month == 1:
            return False
    return True


def _day(fields: Fields, cursor: Cursor, moved: bool) -> bool:
    while not fields.match_day(cursor.wall.day, cursor.weekday):
        if not moved:
            moved = True
            cursor.cut(3)
        cursor.move_days(1)
        # Where midnight does not exist, the clock shows an hour earlier or later.
        hour = cursor.wall.hour
        if hour:
            cursor.move(((24 - hour) if hour > 12 else -hour) * _HOUR)
        if cursor.wall.day == 1:
            return False
    return True


def _hour(fields: Fields, cursor: Cursor, moved: bool) -> bool:
    while not fields.hours >> cursor.wall.hour & 1:
        if not moved:
            moved = True
            cursor.cut(4)
        cursor.move(_HOUR)
        if cursor.wall.hour == 0:
            return False
    return True


def _minute(fields: Fields, cursor: Cursor, moved: bool) -> bool:
    while not fields.minutes >> cursor.wall.minute & 1:
        if not moved:
            moved = True
            cursor.go(cursor.unix // 60 * 60)
        cursor.move(60)
        if cursor.wall.minute == 0:
            return False
    return True


def _second(fields: Fields, cursor: Cursor, _moved: bool) -> bool:
    while not fields.seconds >> cursor.wall.second & 1:
        cursor.move(1)
        if cursor.wall.second == 0:
            return False
    return True
