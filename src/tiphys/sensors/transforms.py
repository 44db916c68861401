"""
A dependency's ``transform``: jq or Lua that turns an event's data into other data.

What it returns is always JSON, whatever the event's content type was.
"""

from __future__ import annotations

import dataclasses

from tiphys.languages import jq as jq_language
from tiphys.languages import lua
from tiphys.languages.lua import WorkerPool

__all__ = ["CONTENT_TYPE", "Transform", "compile_transform"]

CONTENT_TYPE = "application/json"
"""The ``datacontenttype`` of transformed data."""


@dataclasses.dataclass(frozen=True, slots=True)
class Transform:
    """A compiled ``transform``; without a program it leaves data as they are."""

    program: jq_language.JqProgram | lua.LuaScript | None

    async def apply(self, pool: WorkerPool, data: bytes | None) -> bytes | None:
        """
        Transform the data of one event; without data there is nothing to do.

        Raises EvaluationError when *data* is no JSON object or the program fails, LimitExceeded
        when it takes too long or too much memory.
        """
        if self.program is None or data is None:
            return data
        return await self.program.transform(pool, data)


def compile_transform(jq: str | None, script: str | None) -> Transform:
    """
    Compile a transform from its two fields; *jq* comes first, and an empty text counts as none.

    Raises CompileError with the place of the first mistake.
    """
    if jq:
        jq_language.require_engine()
        return Transform(jq_language.compile(jq))
    if not script:
        return Transform(None)
    lua.require_engine()
    return Transform(lua.compile(script))
