"""sprig's functions on maps; ``set``, ``unset`` and the merges change their first argument."""

from __future__ import annotations

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.sprig.casts import is_empty, to_text
from tiphys.languages.template.sprig.versions import Version
from tiphys.languages.template.values import (
    NilMap,
    Strings,
    Texts,
    Value,
    go_type,
    kind_of,
)

__all__ = ["CHANGING", "FUNCTIONS"]

Map = dict[str, Value]

CHANGING = frozenset(("set", "unset", "merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite"))
"""Functions that change their arguments, and so perhaps the data of the event."""


def _dict(*values: Value) -> Map:
    """A map of alternating keys and values; a last key alone gets an empty text."""
    result: Map = {}
    for index in range(0, len(values), 2):
        key = to_text(values[index])
        result[key] = values[index + 1] if index + 1 < len(values) else ""
    return result


def _get(mapping: Map, key: str) -> Value:
    return mapping.get(key, "")


def _set(mapping: Map, key: str, value: Value) -> Map:
    if isinstance(mapping, NilMap):
        raise EvaluationError("assignment to entry in nil map")
    mapping[key] = value
    return mapping


def _unset(mapping: Map, key: str) -> Map:
    mapping.pop(key, None)
    return mapping


def _keys(*mappings: Map) -> Strings:
    return Strings(key for mapping in mappings for key in mapping)


def _pick(mapping: Map, *keys: str) -> Map:
    return {key: mapping[key] for key in keys if key in mapping}


def _omit(mapping: Map, *keys: str) -> Map:
    return {key: value for key, value in mapping.items() if key not in keys}


def _pluck(key: str, *mappings: Map) -> list[Value]:
    return [mapping[key] for mapping in mappings if key in mapping]


def _merge(target: Map, *sources: Map) -> Map:
    return _merged(target, sources, overwrite=False)


def _merge_overwrite(target: Map, *sources: Map) -> Map:
    return _merged(target, sources, overwrite=True)


def _merged(target: Map, sources: tuple[Map, ...], *, overwrite: bool) -> Map:
    """Merge *sources* into *target*, and into the maps inside it."""
    for source in sources:
        if isinstance(target, NilMap) and not isinstance(source, NilMap):
            target = {}
        _merge_into(target, source, overwrite)
    return target


def _merge_into(target: Map, source: Map, overwrite: bool) -> None:
    for key, value in list(source.items()):
        if value is None and type(source) is dict:
            if overwrite:
                _put(target, key, None)
            continue
        present = target.get(key)
        if isinstance(value, dict) and isinstance(present, dict):
            _merge_into(present, value, overwrite)
            if not is_empty(present):
                continue
        if overwrite or is_empty(present):
            _put(target, key, value)


def _put(target: Map, key: str, value: Value) -> None:
    if isinstance(target, Texts) and not isinstance(value, str):
        raise EvaluationError(f"value of type {kind_of(value)} is not assignable to type string")
    target[key] = value


def _deep_copy(value: Value) -> Value:
    if value is None:
        raise EvaluationError("reflect: call of reflect.Value.Type on zero Value")
    return _copy(value)


def _copy(value: Value) -> Value:
    """A copy of lists and maps, down to their last member; versions lose theirs, as in sprig."""
    if isinstance(value, Version):
        return type(value)(0, 0, 0)
    if isinstance(value, list) and not go_type(value).nil:
        return type(value)(map(_copy, value))
    if isinstance(value, dict) and not go_type(value).nil:
        return type(value)({key: _copy(item) for key, item in value.items()})
    return value


FUNCTIONS: dict[str, Function] = {
    "deepCopy": function("any", _deep_copy),
    "dict": function("any...", _dict),
    "get": function("map string", _get),
    "hasKey": function("map string", lambda mapping, key: key in mapping),
    "keys": function("map...", _keys),
    "merge": function("map map...", _merge),
    "mergeOverwrite": function("map map...", _merge_overwrite),
    "mustDeepCopy": function("any", _deep_copy),
    "mustMerge": function("map map...", _merge),
    "mustMergeOverwrite": function("map map...", _merge_overwrite),
    "omit": function("map string...", _omit),
    "pick": function("map string...", _pick),
    "pluck": function("string map...", _pluck),
    "set": function("map string any", _set),
    "unset": function("map string", _unset),
    "values": function("map", lambda mapping: list(mapping.values())),
}
