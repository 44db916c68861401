"""Strategic merge patches: merge patches that know which lists have items with identities."""

from __future__ import annotations

from typing import Any

from tiphys.testing.kubernetes._answers import ApiError, bad_request
from tiphys.testing.kubernetes._decode import clone
from tiphys.testing.kubernetes._types import ANY, Type

ORDER = "$setElementOrder/"
DELETE = "$deleteFromPrimitiveList/"


def strategic_patched(value: dict[str, Any], patch: Any, kind: Type) -> Any:
    """*value* after *patch*; raises a 400 for directives that do not fit."""
    if not isinstance(patch, dict):
        raise bad_request("the strategic merge patch is no object")
    return _merged(value, patch, kind)


def _merged(value: dict[str, Any], patch: dict[str, Any], kind: Type) -> Any:
    directive = patch.get("$patch")
    rest = {key: item for key, item in patch.items() if key != "$patch"}
    if directive == "replace":
        return _plain(rest)
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        message = f"unknown patch type: {directive} in map: {_go_map(patch)}"
        raise ApiError(500, "", message)
    result = clone(value)
    if (retained := rest.pop("$retainKeys", None)) is not None:
        result = {key: item for key, item in result.items() if key in retained}
    for key, item in rest.items():
        if key.startswith("$"):
            continue
        child = kind.child(key) or ANY
        if item is None:
            result.pop(key, None)
        elif isinstance(item, dict) and isinstance(result.get(key), dict):
            result[key] = _merged(result[key], item, child)
        elif isinstance(item, list) and isinstance(result.get(key), list):
            order = rest.get(ORDER + key)
            result[key] = _merged_list(result[key], item, child, order)
        else:
            result[key] = _plain(item)
    _reorder_untouched(result, rest, kind)
    _delete_scalars(result, rest)
    return result


def _merged_list(current: list[Any], patch: list[Any], kind: Type, order: Any) -> list[Any]:
    if kind.shape == "set":
        return current + [item for item in patch if item not in current]
    if kind.shape != "keyed":
        return [_plain(item) for item in patch]
    key = kind.patch_key
    if any(_is(item, "replace") for item in patch):
        return [_plain(item) for item in patch if not _is(item, "replace")]
    items = list(current)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise _without_key(item, key)
        places = [i for i, old in enumerate(items) if old.get(key) == item[key]]
        if _is(item, "delete"):
            items = [old for old in items if old.get(key) != item[key]]
        elif places:
            items[places[0]] = _merged(items[places[0]], item, kind.item)
        else:
            items.append(_plain(item))
    return _ordered(items, patch if order is None else order, key, current)


def _ordered(items: list[Any], order: list[Any], key: str, current: list[Any]) -> list[Any]:
    """*items* in the order asked for; those it does not name keep their place among the others."""
    wanted = [item.get(key) for item in order]
    before = {old.get(key): place for place, old in enumerate(current)}
    named = sorted(
        (item for item in items if item.get(key) in wanted), key=lambda i: wanted.index(i.get(key))
    )
    others = [item for item in items if item.get(key) not in wanted]
    result: list[Any] = []
    for item in named:
        place = before.get(item.get(key))
        while others and place is not None and before[others[0].get(key)] < place:
            result.append(others.pop(0))
        result.append(item)
    return result + others


def _reorder_untouched(result: dict[str, Any], patch: dict[str, Any], kind: Type) -> None:
    """Lists that the patch only puts in order."""
    for directive, order in patch.items():
        key = directive.removeprefix(ORDER)
        child = kind.child(key)
        if directive == key or key in patch or key not in result or child is None:
            continue
        if child.shape == "keyed":
            result[key] = _ordered(result[key], order, child.patch_key, result[key])


def _delete_scalars(result: dict[str, Any], patch: dict[str, Any]) -> None:
    for directive, gone in patch.items():
        key = directive.removeprefix(DELETE)
        if directive != key and isinstance(result.get(key), list):
            result[key] = [item for item in result[key] if item not in gone]


def _is(item: Any, directive: str) -> bool:
    return isinstance(item, dict) and item.get("$patch") == directive


def _plain(value: Any) -> Any:
    """What a patch puts where nothing was: without directives and nulls."""
    if isinstance(value, dict):
        return {
            key: _plain(item)
            for key, item in value.items()
            if not key.startswith("$") and item is not None
        }
    if isinstance(value, list):
        return [_plain(item) for item in value if not _is(item, "delete")]
    return value


def _without_key(item: Any, key: str) -> ApiError:
    message = f"map: {_go_map(item)} does not contain declared merge key: {key}"
    return ApiError(500, "", message)


def _go_map(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    return f"map[{' '.join(f'{key}:{_go_map(value)}' for key, value in sorted(item.items()))}]"
