"""The Lua engine inside a worker process: one state of PUC Lua 5.2 under the original's rules."""

from __future__ import annotations

from collections import OrderedDict
from importlib.resources import files
from typing import Any, Final

from lupa.lua52 import LuaError, LuaMemoryError, LuaRuntime

from tiphys.languages._errors import EvaluationError, LimitExceeded
from tiphys.languages._workers.documents import read_object, replace_bad_bytes
from tiphys.languages._workers.protocol import Operation
from tiphys.languages.lua._host import functions

__all__ = ["Engine"]

_FILES: Final = ("base", "operators", "tables", "strings", "libraries", "json", "main")
_PROGRAMS_KEPT: Final = 256
_START: Final = """
local host, sources = ...
local rt = { host = host, base = {}, concat = table.concat, libraries = {
  string = {}, table = {}, math = {}, os = {}, coroutine = {} } }
for index = 1, #sources do
  assert(load(sources[index][2], "=[runtime] " .. sources[index][1], "t"))(rt)
end
math.randomseed(os.time())
local globals, loaded = _G, package.loaded
for name in pairs(loaded) do loaded[name] = nil end
for name in pairs(globals) do globals[name] = nil end
return rt.compile, rt.run
"""


class Engine:
    """Runs translated scripts; a script reaches neither files nor Python, nor another script."""

    def __init__(self) -> None:
        self._state = LuaRuntime(
            encoding=None,
            unpack_returned_tuples=True,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_no_attributes,
        )
        sources = [[name.encode(), _source(name)] for name in _FILES]
        host = {name.encode(): function for name, function in functions().items()}
        start = self._state.eval("function(text, ...) return load(text)(...) end")
        self._compile, self._run = start(
            _START.encode(),
            self._state.table_from(host),
            self._state.table_from(sources, recursive=True),
        )
        self._chunks: OrderedDict[bytes, Any] = OrderedDict()
        self.evaluate(Operation.LUA_FILTER, b"return true", b"{}")  # loads what loads lazily

    def evaluate(self, operation: Operation, program: bytes, data: bytes) -> bytes:
        """
        Run *program*, a translated script, on the object in *data*.

        A filter answers ``1`` or ``0``, a transformation JSON, LUA_VALUE a type and a text with
        a line break in between.
        """
        try:
            event = self._state.table_from(_lua_value(read_object(data) or {}), recursive=True)
            done, *result = self._run(self._chunk(program), event)
        except LuaMemoryError:
            raise LimitExceeded("not enough memory") from None
        except LuaError as error:
            raise EvaluationError(str(error)) from None
        if not done:
            message = result[0].decode("utf-8", "replace")
            if message.endswith("not enough memory"):
                raise LimitExceeded("not enough memory")
            raise EvaluationError(message)
        kind: bytes = result[0]
        value, encoded = result[1:]
        if operation is Operation.LUA_FILTER:
            return b"1" if value is True else b"0"
        if not encoded:
            raise EvaluationError(value.decode("utf-8", "replace"))
        if operation is Operation.LUA_TRANSFORM:
            if kind != b"table":
                raise EvaluationError("transformation script output type is not of lua table")
            return replace_bad_bytes(value)
        if kind == b"table":
            value = replace_bad_bytes(value)
        text = value if isinstance(value, bytes) else str(value).lower().encode()
        return kind + b"\n" + text

    def _chunk(self, program: bytes) -> Any:
        chunk = self._chunks.get(program)
        if chunk is None:
            chunk = self._compile(program)
            if isinstance(chunk, tuple):
                raise EvaluationError(chunk[1].decode("utf-8", "replace"))
            self._chunks[program] = chunk
            if len(self._chunks) > _PROGRAMS_KEPT:
                self._chunks.popitem(last=False)
        else:
            self._chunks.move_to_end(program)
        return chunk


def _source(name: str) -> bytes:
    return (files("tiphys.languages.lua") / "runtime" / f"{name}.lua").read_bytes()


def _no_attributes(_owner: object, _name: object, _setting: bool) -> str:
    raise AttributeError("access denied")


def _lua_value(value: Any) -> Any:
    """
    A JSON value as the original hands it to scripts.

    Nulls are left out, and so are lists inside lists; what follows them moves up.
    """
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, dict):
        return {
            key.encode("utf-8"): _lua_value(member)
            for key, member in value.items()
            if member is not None
        }
    if isinstance(value, list):
        return [
            _lua_value(item) for item in value if item is not None and not isinstance(item, list)
        ]
    return value
