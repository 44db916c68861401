"""What the sources ``file``, ``sftp`` and ``hdfs`` have in common: which paths, which changes."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from typing import Any, Protocol
from urllib.parse import quote

from pydantic import Field

from tiphys.languages import LanguageError, regexp
from tiphys.manifests.common import Block

OPERATIONS = {"CREATE": 1, "WRITE": 2, "REMOVE": 4, "RENAME": 8, "CHMOD": 16}
"""The bit of each operation in the member ``op`` of payloads; ``MOVE`` has none."""
_ODD = re.compile("[\udc80-\udcff]")  # what stands for a byte that is not UTF-8


class Watched(Protocol):
    """A directory and the paths in it that count (spec: event sources 4.6)."""

    @property
    def directory(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def path_regexp(self) -> str: ...


class WatchPath(Block):
    """The directory, and which paths in it count."""

    directory: str = Field("", description="Absolute path of the directory.")
    path: str = Field("", description="The one relative path that counts.")
    path_regexp: str = Field(
        "", description="Regular expression; a path in which it matches anywhere counts."
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to *name*; *version* tells it from what else happens to it."""

    operation: str
    name: str
    version: str | None = None

    @property
    def bits(self) -> int:
        """The member ``op`` of the payload."""
        return OPERATIONS.get(self.operation, 0)


def payload(name: str, bits: int) -> dict[str, Any]:
    """
    The payload; ``metadata`` is there even if the manifest has none, unlike elsewhere.

    In *name*, each byte that is not UTF-8 becomes U+FFFD, as in Argo Events.
    """
    return {"name": _ODD.sub("\ufffd", name), "op": bits, "metadata": None}


def is_odd(name: str) -> bool:
    """Whether some of the bytes of a name are not UTF-8: it has surrogates in their places."""
    return not name.isascii() and _ODD.search(name) is not None


def identity(name: str) -> str:
    """
    A text without surrogates that no other name has.

    Names themselves have no two slashes in a row, so that those of an odd one tell it from others.
    """
    return f"//{quote(name, errors='surrogateescape')}" if is_odd(name) else name


def watched_problems(watched: Watched, where: str = "") -> list[str]:
    """What is wrong with the paths; *where* is the path of their block, with its dot."""
    problems = []
    if not watched.directory:
        problems.append(f"`{where}directory` is missing")
    elif not watched.directory.startswith("/"):
        problems.append(f"`{where}directory` must be an absolute path")
    if not watched.path and not watched.path_regexp:
        problems.append(f"either `{where}path` or `{where}pathRegexp` must be given")
    elif watched.path and watched.path_regexp:
        problems.append(f"`{where}path` and `{where}pathRegexp` exclude each other")
    if watched.path.startswith("/"):
        problems.append(f"`{where}path` must be relative to the directory")
    if watched.path_regexp:
        try:
            regexp.compile(watched.path_regexp)
        except LanguageError as error:
            problems.append(f"`{where}pathRegexp`: {error}")
    return problems


def matches(watched: Watched, name: str) -> bool:
    """
    Whether a reported name counts.

    The directory is cut off as it is written, so that a name keeps a leading slash where the
    directory is written without a trailing one (as in Argo Events).  A byte that is not UTF-8 is a
    U+FFFD for a pattern, and equal to nothing that a manifest can say.
    """
    relative = name.removeprefix(watched.directory)
    if watched.path:
        return relative == watched.path
    return regexp.compile(watched.path_regexp).search(relative)


def cleaned(directory: str) -> str:
    """An absolute path without what means nothing in it."""
    return "/" + posixpath.normpath(directory).lstrip("/")
