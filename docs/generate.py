"""
Writes the options tables of the component pages, from the descriptions of the options.

``python docs/generate.py`` rewrites what stands between ``<!-- options -->`` and
``<!-- /options -->`` in ``docs/sources/*.md`` and ``docs/triggers/*.md``; with ``--check`` it
changes nothing and fails when a table is stale.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tiphys.languages import durations
from tiphys.manifests.common import (
    ConfigMapRef,
    Duration,
    SecretRef,
    SourceConfig,
    TriggerConfig,
)
from tiphys.registry import Registry, manifest_key
from tiphys.sources import sources
from tiphys.triggers import triggers

DOCS = Path(__file__).parent
BEGIN, END = "<!-- options -->", "<!-- /options -->"
REGISTRIES: dict[str, Registry[Any]] = {"sources": sources, "triggers": triggers}
COMMON = {*SourceConfig.model_fields, *TriggerConfig.model_fields}
NAMES: dict[Any, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    bytes: "bytes",
    Any: "any",
    type(None): "null",
    SecretRef: "Secret key",
    ConfigMapRef: "ConfigMap key",
}
SECOND = 1_000_000_000  # nanoseconds


def pages() -> list[Path]:
    """The pages of all components."""
    return sorted(page for kind in REGISTRIES for page in (DOCS / kind).glob("*.md"))


def fresh(page: Path) -> str:
    """
    The text of a page with the table that belongs there.

    Raises :exc:`ValueError` when it has no place for one.
    """
    text = page.read_text()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} lacks the lines {BEGIN} and {END}")
    component = REGISTRIES[page.parent.name].get(manifest_key(page.stem.replace("-", "_")))
    return f"{head}{BEGIN}\n{table(component.Config)}\n{END}{tail}"


def table(model: type[BaseModel]) -> str:
    """The options of a model, one a row; blocks inside it follow their own row."""
    rows = ["| Option | Type | Default | Meaning |", "|---|---|---|---|"]
    for path, field in options(model):
        meaning = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{path}` | {kind(field)} | {default(field)} | {meaning} |")
    return "\n".join(rows)


def options(
    model: type[BaseModel], prefix: str = "", above: tuple[type[BaseModel], ...] = ()
) -> Iterator[tuple[str, FieldInfo]]:
    """The paths of all options with their fields; those that every component has come last."""
    fields = sorted(model.model_fields.items(), key=lambda item: not prefix and item[0] in COMMON)
    for name, field in fields:
        path = prefix + (field.alias or name)
        yield path, field
        block, suffix = block_of(field.annotation)
        if block is not None and block not in (*above, model):
            yield from options(block, f"{path}{suffix}.", (*above, model))


def block_of(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model that an option holds, and what its path says about how many there are."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return block_of(arguments[0])
    if origin in (list, tuple):
        return block_of(arguments[0])[0], "[]"
    if origin is dict:
        return block_of(arguments[1])[0], ".*"
    if origin in (types.UnionType, typing.Union):
        found = [block_of(argument) for argument in arguments]
        return next((pair for pair in found if pair[0]), (None, ""))
    is_block = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return (annotation, "") if is_block and annotation not in NAMES else (None, "")


def kind(field: FieldInfo) -> str:
    """What may be written, in a word or two."""
    if typing.get_args(Duration)[1] in field.metadata:
        return "duration"
    return type_name(field.annotation)


def type_name(annotation: Any) -> str:
    """A type in the words of a manifest's author."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in NAMES:
        return NAMES[annotation]
    if origin is typing.Annotated:
        is_duration = arguments[1] == typing.get_args(Duration)[1]
        return "duration" if is_duration else type_name(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments if value != "")
    if origin in (list, tuple):
        return f"list of {type_name(arguments[0])}s"
    if origin is dict:
        return f"map to {type_name(arguments[1])}"
    if origin in (types.UnionType, typing.Union):
        return " or ".join(type_name(a) for a in arguments if a is not type(None))
    return "block" if isinstance(annotation, type) and issubclass(annotation, BaseModel) else "any"


def default(field: FieldInfo) -> str:
    """What counts when the option is absent."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", [], {}) or isinstance(value, BaseModel):
        return ""
    if kind(field) == "duration":
        return f"`{durations.format(round(value * SECOND))}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def main(arguments: list[str]) -> int:
    """Rewrite the pages, or say which ones are stale."""
    stale = [page for page in pages() if fresh(page) != page.read_text()]
    for page in stale:
        print(page.relative_to(DOCS))
        if "--check" not in arguments:
            page.write_text(fresh(page))
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
