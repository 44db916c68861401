"""Slash-separated paths, taken apart without a look at any file system."""

from __future__ import annotations

import posixpath

from tiphys.languages.template.functions import Function, function

__all__ = ["FUNCTIONS"]


def _clean(path: str) -> str:
    """The shortest equivalent path, ``.`` for none."""
    if path.startswith("/"):
        return posixpath.normpath("/" + path.lstrip("/"))
    return posixpath.normpath(path)


def _base(path: str) -> str:
    """The last element, ``.`` for no path and ``/`` for slashes only."""
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


def _directory(path: str) -> str:
    """All but the last element."""
    return _clean(path[: path.rfind("/") + 1])


def _extension(path: str) -> str:
    """What follows the last dot of the last element, with the dot."""
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


def _is_absolute(path: str) -> bool:
    return path.startswith("/")


FUNCTIONS: dict[str, Function] = {
    "base": function("string", _base),
    "clean": function("string", _clean),
    "dir": function("string", _directory),
    "ext": function("string", _extension),
    "isAbs": function("string", _is_absolute),
    "osBase": function("string", _base),
    "osClean": function("string", _clean),
    "osDir": function("string", _directory),
    "osExt": function("string", _extension),
    "osIsAbs": function("string", _is_absolute),
}
