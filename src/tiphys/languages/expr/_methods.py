"""Signatures of the methods of package ``time``, for the check before evaluation."""

from __future__ import annotations

import dataclasses

from tiphys.languages.expr import _types as types

__all__ = ["METHODS", "Method"]


@dataclasses.dataclass(frozen=True, slots=True)
class Method:
    """Types of parameters and first result; *results* counts all that it returns."""

    result: types.Type
    parameters: tuple[types.Type, ...] = ()
    results: int = 1


def _methods(result: types.Type, names: str, *parameters: types.Type) -> dict[str, Method]:
    return {name: Method(result, parameters) for name in names.split()}


METHODS: dict[types.Type, dict[str, Method]] = {
    types.TIME: {
        **_methods(types.INT, "Day Hour Minute Nanosecond Second Year YearDay"),
        **_methods(types.INT64, "Unix UnixMicro UnixMilli UnixNano"),
        **_methods(types.TIME, "Local UTC"),
        **_methods(types.TIME, "Add Round Truncate", types.DURATION),
        **_methods(types.TIME, "AddDate", types.INT, types.INT, types.INT),
        **_methods(types.TIME, "In", types.LOCATION),
        **_methods(types.BOOL, "After Before Equal", types.TIME),
        **_methods(types.BOOL, "IsZero IsDST"),
        **_methods(types.INT, "Compare", types.TIME),
        **_methods(types.DURATION, "Sub", types.TIME),
        **_methods(types.STRING, "GoString String"),
        **_methods(types.STRING, "Format", types.STRING),
        "Month": Method(types.MONTH),
        "Weekday": Method(types.WEEKDAY),
        "Location": Method(types.LOCATION),
        "ISOWeek": Method(types.INT, results=2),
        "Zone": Method(types.STRING, results=2),
        "Clock": Method(types.INT, results=3),
        "Date": Method(types.INT, results=3),
    },
    types.DURATION: {
        **_methods(types.FLOAT, "Hours Minutes Seconds"),
        **_methods(types.INT64, "Microseconds Milliseconds Nanoseconds"),
        **_methods(types.DURATION, "Abs"),
        **_methods(types.DURATION, "Round Truncate", types.DURATION),
        **_methods(types.STRING, "String"),
    },
    types.MONTH: _methods(types.STRING, "String"),
    types.WEEKDAY: _methods(types.STRING, "String"),
    types.LOCATION: _methods(types.STRING, "String"),
}
