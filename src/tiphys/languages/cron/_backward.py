"""
The search for the previous match: as the one forward, but with the moves of Argo Events.

Each step moves the cursor to the last second of the month, day, hour or minute before.
"""

from __future__ import annotations

from tiphys.languages.cron._cursor import Cursor
from tiphys.languages.cron._fields import Fields

__all__ = ["find_previous"]

_HOUR = 3600


def find_previous(fields: Fields, cursor: Cursor, first_year: int) -> bool:
    """Move *cursor* to the last match, or before *first_year* and answer False."""
    steps = (_month, _day, _hour, _minute, _second)
    while cursor.wall.year >= first_year:
        if all(step(fields, cursor) for step in steps):
            return True
    return False


def _month(fields: Fields, cursor: Cursor) -> bool:
    while not fields.months >> cursor.wall.month & 1:
        cursor.cut(2)
        cursor.move(-1)
        if cursor.wall.month == 12:
            return False
    return True


def _day(fields: Fields, cursor: Cursor) -> bool:
    while not fields.match_day(cursor.wall.day, cursor.weekday):
        month = cursor.wall.month
        cursor.cut(3)
        hour = cursor.wall.hour
        if hour:
            cursor.move(((24 - hour) if hour > 12 else -hour) * _HOUR)
        cursor.move(-1)
        if cursor.wall.month != month:
            return False
    return True


def _hour(fields: Fields, cursor: Cursor) -> bool:
    while not fields.hours >> cursor.wall.hour & 1:
        cursor.cut(4)
        cursor.move(-1)
        if cursor.wall.hour == 23:
            return False
    return True


def _minute(fields: Fields, cursor: Cursor) -> bool:
    while not fields.minutes >> cursor.wall.minute & 1:
        cursor.cut(5)
        cursor.move(-1)
        if cursor.wall.minute == 59:
            return False
    return True


def _second(fields: Fields, cursor: Cursor) -> bool:
    while not fields.seconds >> cursor.wall.second & 1:
        cursor.move(-1)
        if cursor.wall.second == 59:
            return False
    return True
