"""
Finds components by manifest key, importing each one only when a manifest asks for it.

In-tree components are found by file name (``redisStream`` lives in ``redis_stream.py``);
other packages add theirs through an entry-point group.  Listing imports nothing.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import re
from importlib import metadata
from typing import Generic, TypeVar

from tiphys.errors import MissingExtraError, UnknownComponentError

T = TypeVar("T")


def module_name(key: str) -> str:
    """``redisStream`` → ``redis_stream``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()


def manifest_key(module: str) -> str:
    """``redis_stream`` → ``redisStream``."""
    head, *tail = module.split("_")
    return head + "".join(part.capitalize() for part in tail)


class Registry(Generic[T]):
    """Components of one kind.  Listing keys imports no component."""

    def __init__(self, kind: str, package: str, group: str) -> None:
        self.kind = kind
        self.package = package
        self.group = group
        self._loaded: dict[str, type[T]] = {}

    def names(self) -> list[str]:
        """The manifest keys that there are, sorted."""
        path = importlib.import_module(self.package).__path__
        local = {
            manifest_key(m.name)
            for m in pkgutil.iter_modules(path)
            if not m.name.startswith("_") and not m.ispkg
        }
        installed = {ep.name for ep in metadata.entry_points(group=self.group)}
        return sorted(local | installed | self._loaded.keys())

    def add(self, key: str, cls: type[T]) -> None:
        """Register *cls*; raises :exc:`TypeError` when *key* is taken by another class."""
        if self._loaded.setdefault(key, cls) is not cls:
            raise TypeError(f"{self.kind} {key!r} is already registered: {self._loaded[key]!r}")

    def get(self, key: str) -> type[T]:
        """
        The component of *key*, imported now if need be.

        Raises :exc:`UnknownComponentError` and :exc:`MissingExtraError`.
        """
        if key not in self._loaded:
            self._load(key)
        return self._loaded[key]

    def _load(self, key: str) -> None:
        if key not in self.names():
            near = difflib.get_close_matches(key, self.names(), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UnknownComponentError(f"there is no {self.kind} {key!r}{hint}")
        for ep in metadata.entry_points(group=self.group, name=key):
            self.add(key, ep.load())
            return
        name = module_name(key)
        try:
            importlib.import_module(f"{self.package}.{name}")
        except ModuleNotFoundError as exc:
            if (exc.name or "").startswith("tiphys"):
                raise
            raise MissingExtraError(self.kind, key, exc.name or "?") from exc
