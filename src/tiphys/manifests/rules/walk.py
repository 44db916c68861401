"""Finds blocks inside blocks, with the keys under which the manifest has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from tiphys.manifests.findings import FieldPath


def key_of(name: str, field: FieldInfo) -> str:
    """The manifest's key of a model's field."""
    return field.alias or name


def keys_of(model: type[BaseModel]) -> list[str]:
    """All keys that *model* knows, in order."""
    return [key_of(name, field) for name, field in model.model_fields.items()]


def blocks(block: BaseModel, path: FieldPath = ()) -> Iterator[tuple[FieldPath, BaseModel]]:
    """*block* and every block inside it, with their paths."""
    yield path, block
    for name, field in type(block).model_fields.items():
        yield from _inside(getattr(block, name), (*path, key_of(name, field)))


def _inside(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, BaseModel]]:
    if isinstance(value, BaseModel):
        yield from blocks(value, path)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _inside(item, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _inside(item, (*path, str(key)))
