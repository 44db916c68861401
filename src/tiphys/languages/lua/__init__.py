"""
Lua, the language of ``script`` in filters and transformations.

    script = lua.compile('return event.body.action == "opened"')
    await script.filter(pool, b'{"body": {"action": "opened"}}')  # True

The language is Lua 5.1 with ``goto``, as Argo Events runs it.  Scripts are translated here and
run in the workers of a :class:`~tiphys.languages._workers.WorkerPool`, by the engine in the
module ``lupa`` (``pip install 'tiphys[lupa]'``).
"""

from tiphys.languages._workers import WorkerPool
from tiphys.languages.lua._script import LuaScript, Value, compile, require_engine

__all__ = ["LuaScript", "Value", "WorkerPool", "compile", "require_engine"]
