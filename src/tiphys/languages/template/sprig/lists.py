"""sprig's functions on lists; all but ``sortAlpha`` leave their arguments as they are."""

from __future__ import annotations

from collections.abc import Iterable

from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages.template.comparison import deep_equal
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.limits import check_items, check_text
from tiphys.languages.template.sprig.casts import is_empty, to_integer, to_strings, to_text
from tiphys.languages.template.text import encode
from tiphys.languages.template.values import (
    Items,
    Lists,
    NilList,
    Strings,
    Value,
    go_type,
    kind_of,
    type_name,
)

__all__ = ["FUNCTIONS"]

_MAX_COMPARISONS = 1_000_000
_LAST_DOUBLING = 512


def _items(value: Value, verb: str) -> list[Value]:
    if isinstance(value, list):
        return value
    if value is None:
        raise EvaluationError("runtime error: invalid memory address or nil pointer dereference")
    raise EvaluationError(f"Cannot {verb} type {kind_of(value)}")


def _push(values: Value, item: Value) -> list[Value]:
    return Items((*_items(values, "push on"), item))


def _prepend(values: Value, item: Value) -> list[Value]:
    return Items((item, *_items(values, "prepend on")))


def _first(values: Value) -> Value:
    return next(iter(_items(values, "find first on")), None)


def _last(values: Value) -> Value:
    items = _items(values, "find last on")
    return items[-1] if items else None


def _rest(values: Value) -> list[Value]:
    items = _items(values, "find rest on")
    return Items(items[1:]) if items else NilList()


def _initial(values: Value) -> list[Value]:
    items = _items(values, "find initial on")
    return Items(items[:-1]) if items else NilList()


def _reverse(values: Value) -> list[Value]:
    return Items(reversed(_items(values, "find reverse on")))


def _compact(values: Value) -> list[Value]:
    return Items(item for item in _items(values, "compact on") if not is_empty(item))


def _unique(values: Value) -> list[Value]:
    seen = _Seen()
    return Items(item for item in _items(values, "find uniq on") if seen.add(item))


def _without(values: Value, *omitted: Value) -> list[Value]:
    seen = _Seen(omitted)
    return Items(item for item in _items(values, "find without on") if item not in seen)


def _has(item: Value, values: Value) -> bool:
    if values is None:
        return False
    return any(deep_equal(item, other) for other in _items(values, "find has on"))


class _Seen:
    """A set of values by deep equality."""

    def __init__(self, values: Iterable[Value] = ()) -> None:
        self.scalars: set[tuple[type, Value]] = set()
        self.others: list[Value] = []
        self.comparisons = 0
        for value in values:
            self.add(value)

    def __contains__(self, value: Value) -> bool:
        if value is None or go_type(value).basic:
            return value == value and (type(value), value) in self.scalars
        self.comparisons += len(self.others)
        if self.comparisons > _MAX_COMPARISONS:
            raise LimitExceeded(f"more than {_MAX_COMPARISONS} comparisons of lists or maps")
        return any(deep_equal(value, other) for other in self.others)

    def add(self, value: Value) -> bool:
        """Add *value*; False when it was there."""
        if value in self:
            return False
        if value is None or go_type(value).basic:
            self.scalars.add((type(value), value))
        else:
            self.others.append(value)
        return True


def _slice(values: Value, *bounds: Value) -> Value:
    """
    Items from the first bound to before the second, in a list of the same type.

    A list from JSON has room for more items, which the second bound can reach: they are nil.
    """
    if not isinstance(values, list):
        kind = "nil" if values is None else kind_of(values)
        raise EvaluationError(f"list should be type of slice or array but {kind}")
    if not values:
        return None
    start = to_integer(bounds[0]) if bounds else 0
    end = to_integer(bounds[1]) if len(bounds) > 1 else len(values)
    room = _grown(len(values)) if type(values) is list else len(values)
    if not 0 <= start <= end <= room:
        raise EvaluationError("reflect.Value.Slice: slice index out of bounds")
    if type(values) is list:
        return Items((values + [None] * (end - len(values)))[start:end])
    return type(values)(values[start:end])


def _grown(size: int) -> int:
    """The room of a list that grew to *size* item by item, while it doubles whenever it is full."""
    return 1 << (size - 1).bit_length() if size <= _LAST_DOUBLING else size


def _concat(*lists: Value) -> list[Value]:
    result = Items()
    for values in lists:
        result.extend(_items(values, "concat as list"))
        check_items(len(result))
    return result or NilList()


def _chunk(size: int, values: Value) -> Lists:
    items = _items(values, "chunk")
    if size > 0:
        return Lists(Items(items[start : start + size]) for start in range(0, len(items), size))
    if size < -1 and len(items) == 1:
        return Lists([Items(items)])
    if size == 0 or (len(items) - 1) // size + 1 != 0:
        raise EvaluationError("runtime error: makeslice: len out of range")
    return Lists()


def _sort_alpha(values: Value) -> Strings:
    """Texts in the order of their bytes; a list of texts is itself sorted, as sprig does."""
    if not isinstance(values, list):
        return Strings([to_text(values)])
    strings = to_strings(values)
    strings.sort(key=encode)
    return strings


def _join(separator: str, values: Value) -> str:
    strings = to_strings(values)
    check_text(len(separator) * len(strings) + sum(map(len, strings)))
    return separator.join(strings)


def _dig(*arguments: Value) -> Value:
    """The value at the end of keys; the last argument is the map, the one before the default."""
    if len(arguments) < 3:
        raise EvaluationError("dig needs at least three arguments")
    *keys, default, step = arguments
    if not all(isinstance(key, str) for key in keys):
        raise EvaluationError("interface conversion: a key is no string")
    for key in keys:
        if go_type(step).name != "map[string]interface {}":
            raise EvaluationError(f"interface conversion: {type_name(step)} is no map")
        if key not in step:
            return default
        step = step[key]
    return step


def _list(*values: Value) -> list[Value]:
    return Items(values)


FUNCTIONS: dict[str, Function] = {
    "append": function("any any", _push),
    "chunk": function("int any", _chunk),
    "compact": function("any", _compact),
    "concat": function("any...", _concat),
    "dig": function("any...", _dig),
    "first": function("any", _first),
    "has": function("any any", _has),
    "initial": function("any", _initial),
    "join": function("string any", _join),
    "last": function("any", _last),
    "list": function("any...", _list),
    "prepend": function("any any", _prepend),
    "push": function("any any", _push),
    "rest": function("any", _rest),
    "reverse": function("any", _reverse),
    "slice": function("any any...", _slice),
    "sortAlpha": function("any", _sort_alpha),
    "toStrings": function("any", to_strings),
    "tuple": function("any...", _list),
    "uniq": function("any", _unique),
    "without": function("any any...", _without),
}
FUNCTIONS |= {
    f"must{name[0].upper()}{name[1:]}": FUNCTIONS[name]
    for name in [
        "append",
        "chunk",
        "compact",
        "first",
        "has",
        "initial",
        "last",
        "prepend",
        "push",
        "rest",
        "reverse",
        "slice",
        "uniq",
        "without",
    ]
}
