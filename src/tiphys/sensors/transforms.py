"""Transforms: a change to the event's data before its filters (spec: sensors 11)."""

from __future__ import annotations

from typing import Protocol

from tiphys.languages.lua import WorkerPool


class _Script(Protocol):
    async def transform(self, pool: WorkerPool, data: bytes) -> bytes: ...


class Transform:
    """A compiled transform."""

    def __init__(self, script: _Script) -> None:
        self._script = script

    async def apply(self, pool: WorkerPool, data: bytes | None) -> bytes | None:
        """
        The data after the transform; no data at all stays as it is.

        Raises the errors of :mod:`tiphys.languages`.
        """
        return None if data is None else await self._script.transform(pool, data)


def compile_transform(jq: str | None, script: str | None) -> Transform:
    """
    Compile; a jq program wins over a Lua script.

    Raises the errors of :mod:`tiphys.languages`.
    """
    if jq:
        from tiphys.languages import jq as jq_language

        return Transform(jq_language.compile(jq))
    from tiphys.languages import lua

    return Transform(lua.compile(script or ""))
