"""Built-in functions on lists and maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tiphys.languages.expr._builtins._checks import Check, count, one_of
from tiphys.languages.expr._faults import Fault
from tiphys.languages.expr._types import (
    ANY,
    ANY_MAP,
    ARRAY,
    INT,
    Function,
    Kind,
    Type,
    Work,
    describe,
    is_any,
    is_array,
    is_integer,
    is_string,
)
from tiphys.languages.expr._values import (
    UNSIGNED,
    AnyMap,
    Pair,
    Pairs,
    fetch,
    member_of_map,
    type_of,
)
from tiphys.languages.expr._values import is_integer as is_integer_value
from tiphys.languages.template.moments import Duration, Month, Time, Weekday
from tiphys.languages.template.text import encode

__all__ = ["FUNCTIONS"]

_MAPS = frozenset((Kind.MAP,))
_SLICES = frozenset((Kind.SLICE,))
_SIZED = frozenset((Kind.SLICE, Kind.MAP, Kind.STRING))
_DIRECTIONS = {"asc": False, "desc": True}


def _length(value: Any) -> int:
    if type(value) is str:
        return len(value) if value.isascii() else len(encode(value))
    if isinstance(value, list | Mapping):
        return len(value)
    raise Fault(f"invalid argument for len (type {type_of(value)})")


def _get(*arguments: Any) -> Any:
    """A member, or nil where there is none or anything else is wrong."""
    if len(arguments) < 2:
        return None
    try:
        return fetch(arguments[0], arguments[1])
    except Fault:
        return None


def _first(*arguments: Any) -> Any:
    return _get(*arguments[:1], 0)


def _last(*arguments: Any) -> Any:
    return _get(*arguments[:1], -1)


def _take(values: Any, number: Any) -> Any:
    if not isinstance(values, list):
        raise Fault(f"cannot take from {type_of(values)}")
    if not _is_signed(number):
        raise Fault(f"cannot take {type_of(number)} elements")
    amount = int(number)
    if amount > len(values):
        return values
    if amount < 0:
        raise Fault("reflect.Value.Slice: slice index out of bounds")
    return type(values)(values[:amount])


def _is_signed(value: Any) -> bool:
    if isinstance(value, Duration | Month | Weekday):
        return True
    return is_integer_value(value) and not isinstance(value, UNSIGNED)


def _map_of(action: str, values: tuple[Any, ...]) -> Mapping[Any, Any]:
    count(values, 1)
    if not isinstance(values[0], Mapping):
        raise Fault(f"cannot {action.format(type_of(values[0]))}")
    return values[0]


def _keys(*arguments: Any) -> list[Any]:
    return list(_map_of("get keys from {}", arguments))


def _values(*arguments: Any) -> list[Any]:
    return list(_map_of("get values from {}", arguments).values())


def _to_pairs(*arguments: Any) -> Pairs:
    return Pairs(Pair(item) for item in _map_of("transform {} to pairs", arguments).items())


def _from_pairs(*arguments: Any) -> AnyMap:
    count(arguments, 1)
    if not isinstance(arguments[0], list):
        raise Fault(f"cannot transform {type_of(arguments[0])} from pairs")
    result = AnyMap()
    for pair in arguments[0]:
        if not isinstance(pair, list) or len(pair) != 2:
            raise Fault(f"invalid pair (type {type_of(pair)})")
        result[pair[0]] = pair[1]
    return result


def _sort(*arguments: Any) -> list[Any]:
    count(arguments, 1, 2)
    return _sorted(arguments[0], "", arguments[1:])


def _sort_by(*arguments: Any) -> list[Any]:
    count(arguments, 2, 3)
    if not isinstance(arguments[0], list):
        raise Fault(f"cannot sort {type_of(arguments[0])}")
    if type(arguments[1]) is not str:
        raise Fault(f"invalid argument for sort (expected string, got {type_of(arguments[1])})")
    return _sorted(arguments[0], arguments[1], arguments[2:])


def _sorted(values: Any, field: str, direction: tuple[Any, ...]) -> list[Any]:
    """Sort by *field* of maps, and by the value of anything else; all must have one type."""
    if not isinstance(values, list):
        raise Fault(f"cannot sort {type_of(values)}")
    descending = _is_descending(direction[0]) if direction else False
    ranked = [(_sort_key(value, field), value) for value in values]
    types = {type(key) for key, _ in ranked}
    if len(types) > 1:
        names = sorted(type_of(key) for key, _ in ranked)
        raise Fault(f"cannot sort array of different types ({names[0]} and {names[-1]})")
    if len(ranked) > 1:
        ranked.sort(key=lambda pair: _comparable(pair[0]), reverse=descending)
    return [value for _, value in ranked]


def _is_descending(direction: Any) -> bool:
    if type(direction) is not str:
        raise Fault(f"invalid argument for sort (expected string, got {type_of(direction)})")
    if direction not in _DIRECTIONS:
        raise Fault(f'invalid argument for sort (expected "asc" or "desc", got "{direction}")')
    return _DIRECTIONS[direction]


def _sort_key(value: Any, field: str) -> Any:
    if isinstance(value, Time):
        raise Fault("cannot sort moments")
    if not isinstance(value, Mapping):
        return value
    present, key = member_of_map(value, field)
    if not present:
        raise Fault(f'cannot sort: no member "{field}"')
    return key


def _comparable(key: Any) -> Any:
    if type(key) is str:
        return encode(key)
    if type(key) is float or _is_signed(key):
        return key
    raise Fault(f"sort: unsupported type {type_of(key)}")


def _element_check(name: str) -> Check:
    """Check for one list, whose element is the result."""

    def check(arguments: Sequence[Type | None]) -> Type | None:
        count(arguments, 1)
        if is_any(arguments[0]):
            return ANY
        if arguments[0] is not None and is_array(arguments[0]):
            return arguments[0].element
        raise Fault(f"cannot get {name} element from {describe(arguments[0])}")

    return check


def _take_check(arguments: Sequence[Type | None]) -> Type | None:
    count(arguments, 2)
    if not is_any(arguments[0]) and not is_array(arguments[0]):
        raise Fault(f"cannot take from {describe(arguments[0])}")
    if not is_any(arguments[1]) and not is_integer(arguments[1]):
        raise Fault(f"cannot take {describe(arguments[1])} elements")
    return arguments[0]


def _sort_check(texts: int) -> Check:
    """Check for a list and *texts* texts, the last of which may be left out."""

    def check(arguments: Sequence[Type | None]) -> Type | None:
        count(arguments, texts, texts + 1)
        if not is_any(arguments[0]) and not is_array(arguments[0]):
            raise Fault(f"cannot sort {describe(arguments[0])}")
        for argument in arguments[1:]:
            if not is_any(argument) and not is_string(argument):
                raise Fault(
                    f"invalid argument for sort (expected string, got {describe(argument)})"
                )
        return ARRAY

    return check


def _get_check(_: Sequence[Type | None]) -> Type | None:
    return ANY  # through a variable; the checker knows more of a call by name


FUNCTIONS = [
    Function("len", _length, one_of("len", _SIZED, INT), through_variable=False, work=Work.NONE),
    Function("first", _first, _element_check("first"), work=Work.NONE),
    Function("last", _last, _element_check("last"), work=Work.NONE),
    Function("get", _get, _get_check, work=Work.NONE),
    Function("take", _take, _take_check),
    Function("keys", _keys, one_of("keys", _MAPS, ARRAY, message="cannot get keys from")),
    Function("values", _values, one_of("values", _MAPS, ARRAY, message="cannot get values from")),
    Function("toPairs", _to_pairs, one_of("toPairs", _MAPS, ARRAY, message="cannot pair")),
    Function("fromPairs", _from_pairs, one_of("fromPairs", _SLICES, ANY_MAP, message="no pairs:")),
    Function("sort", _sort, _sort_check(1)),
    Function("sortBy", _sort_by, _sort_check(2)),
]
