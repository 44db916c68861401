"""The JSON schema for editors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.unit.manifests._support import FewComponents
from tiphys.manifests.known import EVENT_TYPES, TRIGGER_TYPES
from tiphys.manifests.schema import schema

SCHEMA = schema(FewComponents())


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    return SCHEMA["$defs"][part["$ref"].removeprefix("#/$defs/")]  # type: ignore[no-any-return]


def of_kind(kind: str) -> dict[str, Any]:
    (found,) = (one for one in SCHEMA["oneOf"] if one["properties"]["kind"]["const"] == kind)
    return found["properties"]  # type: ignore[no-any-return]


def parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for item in part.values():
            yield from parts(item)
    elif isinstance(part, list):
        for item in part:
            yield from parts(item)


def test_every_kind_is_there() -> None:
    assert [one["title"] for one in SCHEMA["oneOf"]] == [
        "EventSource",
        "EventBus",
        "Sensor",
        "Secret",
        "ConfigMap",
    ]


def test_options_of_components_are_there_and_types_without_one_are_allowed() -> None:
    spec = resolved(of_kind("EventSource")["spec"])
    webhook = resolved(spec["properties"]["webhook"]["additionalProperties"])

    assert spec["properties"].keys() >= {*EVENT_TYPES, "clock"}
    assert webhook["properties"]["allowedCIDRs"]["type"] == "array"
    assert spec["properties"]["gerrit"]["additionalProperties"] == {"type": "object"}


def test_triggers_are_there() -> None:
    spec = resolved(of_kind("Sensor")["spec"])
    trigger = resolved(spec["properties"]["triggers"]["items"])
    template = resolved(trigger["properties"]["template"])

    assert template["properties"].keys() >= {*TRIGGER_TYPES, "shell", "conditions"}
    assert "url" in resolved(template["properties"]["http"])["properties"]


def test_unknown_keys_are_marked() -> None:
    assert resolved(of_kind("Sensor")["spec"])["additionalProperties"] is False


def test_every_reference_leads_somewhere() -> None:
    references = [part["$ref"] for part in parts(SCHEMA) if isinstance(part.get("$ref"), str)]

    assert references
    for reference in references:
        assert reference.removeprefix("#/$defs/") in SCHEMA["$defs"]


def test_every_field_is_described() -> None:
    undescribed = [
        f"{name}.{key}"
        for name, definition in SCHEMA["$defs"].items()
        for key, field in definition.get("properties", {}).items()
        if not (field.get("description") or resolved(field).get("description"))
    ]

    assert undescribed == []


def test_nothing_in_it_is_for_developers_only() -> None:
    for part in parts(SCHEMA):
        description = part.get("description")
        if isinstance(description, str):
            assert "(spec" not in description
            assert ":attr:" not in description
        if part.get("type") == "string":
            assert "writeOnly" not in part
