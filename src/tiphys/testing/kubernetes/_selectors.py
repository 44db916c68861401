"""Label and field selectors."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tiphys.testing.kubernetes._answers import bad_request
from tiphys.testing.kubernetes._kinds import Kind
from tiphys.testing.kubernetes._names import label_value, qualified

Matches = Callable[[Mapping[str, Any]], bool]
_TOKEN = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")
FIELDS: Mapping[str, tuple[str, ...]] = {
    "/pods": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork", "status.phase", "status.podIP", "status.podIPs",
        "status.nominatedNodeName",
    ),
    "/namespaces": ("status.phase",),
    "/secrets": ("type",),
    "/events": (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
        "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
        "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type",
    ),
    "batch/jobs": ("status.successful",),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether *labels* fulfil it."""
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        if self.operator in ("notin", "!="):
            return value not in self.values
        if self.operator in (">", "<"):
            if value is None or not re.fullmatch(r"-?\d+", value):
                return False
            limit = int(self.values[0])
            return int(value) > limit if self.operator == ">" else int(value) < limit
        return value in self.values


def label_selector(text: str) -> Matches:
    """The test that *text* describes.  Raises a 400 for what is none."""
    requirements = list(_requirements(_Tokens(text)))

    def matches(obj: Mapping[str, Any]) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(requirement.holds(labels) for requirement in requirements)

    return matches


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether the ``LabelSelector`` of an object selects *labels*."""
    if any(labels.get(k) != v for k, v in (selector.get("matchLabels") or {}).items()):
        return False
    names = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    return all(
        Requirement(e["key"], names[e["operator"]], tuple(e.get("values") or ())).holds(labels)
        for e in selector.get("matchExpressions") or []
    )


def field_selector(text: str, kind: Kind) -> Matches:
    """The test that *text* describes.  Raises a 400 for fields that cannot be selected by."""
    conditions = [_field_condition(part, kind) for part in text.split(",") if part]

    def matches(obj: Mapping[str, Any]) -> bool:
        return all((_field(obj, path) == value) is equal for path, equal, value in conditions)

    return matches


class _Tokens:
    """The words and signs of a selector."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = [match.group(1) for match in _TOKEN.finditer(text)]

    def peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def take(self) -> str:
        return self._tokens.pop(0) if self._tokens else ""

    def expect(self, wanted: str, said: str, prefix: str = "unable to parse requirement: ") -> None:
        got = self.take()
        if got != wanted:
            raise bad_request(f"{prefix}found '{got}', expected: {said}")


def _requirements(tokens: _Tokens) -> Iterator[Requirement]:
    if tokens.peek() in (",", "=", "==", "!=", "<", ">", "(", ")"):
        raise bad_request(f"found '{tokens.peek()}', expected: !, identifier, or 'end of string'")
    while tokens.peek():
        yield _requirement(tokens)
        if not tokens.peek():
            return
        tokens.expect(",", "',' or 'end of string'", "")
        if tokens.peek() in ("", ","):
            raise bad_request(f"found '{tokens.peek()}', expected: identifier after ','")


def _requirement(tokens: _Tokens) -> Requirement:
    absent = tokens.peek() == "!"
    if absent:
        tokens.take()
    key = tokens.take()
    if problems := qualified(key):
        said = f'<nil>: Invalid value: "{key}": {"; ".join(problems)}'
        raise bad_request(f"unable to parse requirement: {said}")
    if absent:
        return Requirement(key, "!")
    operator = tokens.peek()
    if operator in ("", ","):
        return Requirement(key, "exists")
    tokens.take()
    if operator in ("in", "notin"):
        return Requirement(key, operator, tuple(_values(tokens)))
    if operator not in ("=", "==", "!=", ">", "<"):
        raise bad_request(
            f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, "
            "gt, lt"
        )
    value = "" if tokens.peek() in ("", ",") else tokens.take()
    if operator in "<>" and not re.fullmatch(r"-?\d+", value):
        raise bad_request(
            f"values[0][{key}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the "
            "value must be an integer"
        )
    if problems := label_value(value):
        raise bad_request(f'values[0][{key}]: Invalid value: "{value}": {"; ".join(problems)}')
    return Requirement(key, operator, (value,))


def _values(tokens: _Tokens) -> Iterator[str]:
    tokens.expect("(", "'('")
    if tokens.peek() == ")":
        yield ""
    while tokens.peek() != ")":
        yield "" if tokens.peek() == "," else tokens.take()
        if tokens.peek() != ")":
            tokens.expect(",", "',' or ')'")
            if tokens.peek() == ")":
                yield ""
    tokens.take()


def _field_condition(part: str, kind: Kind) -> tuple[str, bool, str]:
    match = re.fullmatch(r"([^=!]+)(!=|==|=)(.*)", part.strip())
    if match is None:
        raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
    path, operator, value = match.groups()
    extra = FIELDS.get(kind.key, tuple(kind.selectable))
    known = ("metadata.name", *(("metadata.namespace",) if kind.namespaced else ()), *extra)
    if path not in known:
        raise bad_request(_unknown_field(path, kind, known))
    return path, operator != "!=", value


def _unknown_field(path: str, kind: Kind, known: tuple[str, ...]) -> str:
    if kind.key == "batch/jobs":
        return f'field label "{path}" not supported for Job'
    if kind.custom or kind.key in FIELDS:
        return f"field label not supported: {path}"
    names = ", ".join(f'"{name}"' for name in known)
    return f'"{path}" is not a known field selector: only {names}'


def _field(obj: Mapping[str, Any], path: str) -> str:
    value: Any = obj
    if path == "status.successful":
        path = "status.succeeded"
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if path == "status.succeeded":
        return str(value or 0)
    if isinstance(value, dict):
        return str(value.get("component", ""))
    if value is None:
        return "false" if path == "spec.hostNetwork" else ""
    return str(value).lower() if isinstance(value, bool) else str(value)
