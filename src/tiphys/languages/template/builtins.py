"""The functions that Go's templates have without sprig."""

from __future__ import annotations

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.comparison import equal, equal_to_any, less
from tiphys.languages.template.escaping import escape_html, escape_javascript, escape_query
from tiphys.languages.template.functions import function
from tiphys.languages.template.printf import sprintf
from tiphys.languages.template.printing import sprint, sprintln
from tiphys.languages.template.text import byte_length, encode
from tiphys.languages.template.values import Texts, Uint8, Value, go_type, is_true, type_name

__all__ = ["BUILTINS"]

_NO_VALUE = "<no value>"


def _call(callee: Value, *_arguments: Value) -> Value:
    """No value of a template is a function."""
    if callee is None:
        raise EvaluationError("call of nil")
    raise EvaluationError(f"non-function of type {type_name(callee)}")


def _choice(*_arguments: Value) -> Value:
    """``and`` and ``or`` without arguments, which is an error before it is called."""
    raise EvaluationError("missing argument")


def _index(item: Value, *keys: Value) -> Value:
    if item is None:
        raise EvaluationError("index of untyped nil")
    for key in keys:
        if item is None:
            raise EvaluationError("index of nil pointer")
        if isinstance(item, dict):
            item = _map_item(item, key)
        elif isinstance(item, list):
            item = item[_position(key, len(item))]
        elif isinstance(item, str):
            data = encode(item)
            item = Uint8(data[_position(key, len(data))])
        else:
            raise EvaluationError(f"can't index item of type {type_name(item)}")
    return item


def _map_item(item: dict[str, Value], key: Value) -> Value:
    if not isinstance(key, str):
        if key is None:
            raise EvaluationError("value is nil; should be of type string")
        raise EvaluationError(f"value has type {type_name(key)}; should be string")
    return item.get(key, "" if isinstance(item, Texts) else None)


def _position(key: Value, size: int) -> int:
    if key is None:
        raise EvaluationError("cannot index slice/array with nil")
    if go_type(key).basic not in ("int", "uint"):
        raise EvaluationError(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key < size:
        raise EvaluationError(f"index out of range: {int(key)}")
    return int(key)


def _length(item: Value) -> int:
    if item is None:
        raise EvaluationError("len of nil pointer")
    if isinstance(item, str):
        return byte_length(item)
    if isinstance(item, (list, dict)):
        return len(item)
    raise EvaluationError(f"len of type {type_name(item)}")


def _greater(left: Value, right: Value) -> bool:
    return not _less_or_equal(left, right)


def _less_or_equal(left: Value, right: Value) -> bool:
    return less(left, right) or equal(left, right)


def _text(values: tuple[Value, ...]) -> str:
    """The arguments of an escaping function as one text."""
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    return sprint(_NO_VALUE if value is None else value for value in values)


BUILTINS = {
    "and": function("any any...", _choice),
    "call": function("any any...", _call),
    "eq": function("any any...", equal_to_any),
    "ge": function("any any", lambda left, right: not less(left, right)),
    "gt": function("any any", _greater),
    "html": function("any...", lambda *values: escape_html(_text(values))),
    "index": function("any any...", _index),
    "js": function("any...", lambda *values: escape_javascript(_text(values))),
    "le": function("any any", _less_or_equal),
    "len": function("any", _length),
    "lt": function("any any", less),
    "ne": function("any any", lambda left, right: not equal(left, right)),
    "not": function("any", lambda value: not is_true(value)),
    "or": function("any any...", _choice),
    "print": function("any...", lambda *values: sprint(values)),
    "printf": function("string any...", lambda text, *values: sprintf(text, values)),
    "println": function("any...", lambda *values: sprintln(values)),
    "urlquery": function("any...", lambda *values: escape_query(_text(values))),
}
