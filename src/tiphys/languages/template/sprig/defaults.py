"""sprig's functions for defaults, JSON, types and control."""

from __future__ import annotations

from typing import NoReturn

from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages.template.comparison import deep_equal
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.json_text import from_json, lenient_from_json, to_json
from tiphys.languages.template.sprig.casts import is_empty
from tiphys.languages.template.values import Value, kind_of, type_name

__all__ = ["FUNCTIONS"]

_PRETTY = "  "


def _default(default: Value, *given: Value) -> Value:
    return default if not given or is_empty(given[0]) else given[0]


def _coalesce(*values: Value) -> Value:
    return next((value for value in values if not is_empty(value)), None)


def _json_or_empty(value: Value, indent: str = "") -> str:
    """JSON, or an empty text for what JSON cannot hold."""
    try:
        return to_json(value, indent=indent)
    except LimitExceeded:
        raise
    except EvaluationError:
        return ""


def _raw_json(value: Value) -> str:
    """JSON in which ``<``, ``>`` and ``&`` stand for themselves."""
    return to_json(value, escape_html=False)


def _type_is_like(name: str, value: Value) -> bool:
    """Whether the type is *name* or a pointer to it."""
    return type_name(value) in (name, f"*{name}")


def _fail(message: str) -> NoReturn:
    raise EvaluationError(message)


FUNCTIONS: dict[str, Function] = {
    "all": function("any...", lambda *values: not any(map(is_empty, values))),
    "any": function("any...", lambda *values: not all(map(is_empty, values))),
    "coalesce": function("any...", _coalesce),
    "deepEqual": function("any any", deep_equal),
    "default": function("any any...", _default),
    "empty": function("any", is_empty),
    "fail": function("string", _fail),
    "fromJson": function("string", lenient_from_json),
    "hello": function("", lambda: "Hello!"),
    "kindIs": function("string any", lambda kind, value: kind == kind_of(value)),
    "kindOf": function("any", kind_of),
    "mustFromJson": function("string", from_json),
    "mustToJson": function("any", to_json),
    "mustToPrettyJson": function("any", lambda value: to_json(value, indent=_PRETTY)),
    "mustToRawJson": function("any", _raw_json),
    "ternary": function("any any bool", lambda yes, no, test: yes if test else no),
    "toJson": function("any", _json_or_empty),
    "toPrettyJson": function("any", lambda value: _json_or_empty(value, _PRETTY)),
    "toRawJson": function("any", _raw_json),
    "typeIs": function("string any", lambda name, value: name == type_name(value)),
    "typeIsLike": function("string any", _type_is_like),
    "typeOf": function("any", type_name),
}
