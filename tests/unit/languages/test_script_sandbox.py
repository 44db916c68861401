"""Lua and jq: what a script cannot reach."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.conformance.judges._scripts import pool, run
from tiphys.languages import CompileError, EvaluationError, jq, lua

GLOBALS = """
    _G _VERSION assert collectgarbage coroutine error event getfenv getmetatable ipairs load
    loadstring math next os pairs pcall print rawequal rawget rawset select setfenv setmetatable
    string table tonumber tostring type unpack xpcall
"""


def text(script: str, data: bytes = b"{}") -> str:
    return run(lua.compile(script).value(pool(), data)).text


@pytest.mark.parametrize(
    "name",
    [
        *("io", "debug", "package", "require", "module", "dofile", "loadfile", "channel"),
        *("newproxy", "python", "jit", "ffi", "bit32", "rawlen", "_ENV", "arg"),
        *("os.execute", "os.exit", "os.remove", "os.rename", "os.setenv", "os.tmpname"),
        *("string.pack", "table.unpack", "coroutine.close", "load.x", "_G.io", "_G._G.debug"),
    ],
)
def test_a_script_has_no(name: str) -> None:
    try:
        assert text(f"return {name}") == "nil"
    except EvaluationError as error:
        assert "attempt to index" in str(error)


def test_a_script_has_just_these_globals() -> None:
    script = "local n = {} for k in pairs(_G) do n[#n + 1] = k end table.sort(n) return n"

    assert json.loads(text(script)) == GLOBALS.split()


def test_no_function_or_value_of_a_script_is_an_object_of_python() -> None:
    script = """
        event = nil -- which may not be asked for its metatable
        local found, seen = {}, {}
        local function walk(value, path)
          local kind = type(value)
          if kind == "userdata" or tostring(value):find("Python", 1, true) then
            found[#found + 1] = path
          elseif kind == "table" and not seen[value] then
            seen[value] = true
            for k, v in pairs(value) do walk(k, path) walk(v, path .. "." .. tostring(k)) end
            walk(getmetatable(value), path .. "!")
          elseif kind == "function" then
            walk(getfenv(value), path .. "^")
          end
        end
        walk(_G, "") walk(getmetatable(""), "string")
        local caught = {}
        for _, f in ipairs { string.format, string.find, os.date, tonumber, loadstring, error } do
          for _, argument in ipairs { {}, print, "%99999999999999999999d", "[", -1e300 } do
            walk({ pcall(f, argument, argument, argument) }, "call")
          end
        end
        return #found
    """

    assert text(script) == "0"


def test_a_script_reads_no_environment() -> None:
    assert text('return os.getenv("PATH")') == "nil"
    assert run(jq.compile("{e: $ENV, f: env}").transform(pool(), b"{}")) == b'{"e":{},"f":{}}'


@pytest.mark.parametrize(
    "name",
    [
        *("env.PATH | error", "input_filename", "get_search_list", "$__prog_args", "input"),
        *(
            'include "x"; .',
            'import "x" as x; .',
            'import "/etc/passwd" as $x; .',
            "debug",
            "stderr",
        ),
        *("$__loc__", "modulemeta | error", "halt_error | error", "@sh | system"),
    ],
)
def test_a_program_reads_no_files(name: str) -> None:
    with pytest.raises((EvaluationError, ValueError)):
        run(jq.compile(name).transform(pool(), b"{}"))


@pytest.mark.parametrize(
    "first",
    [
        "leak = 1",
        "string.leak = 1",
        "_G.string.leak = 1",
        'getmetatable("").leak = 1',
        'getmetatable("").__index = function() return 1 end',
        'getmetatable("").__add = function() return 1 end',
        "setfenv(print, {})",
        "setfenv(0, {})",
        "math.floor = nil",
        "event.leak = 1 leak = event",
        "getfenv(pairs).leak = 1",
        "table.insert(package or {}, 1)",
        "setmetatable({}, {__gc = function() leak = 1 end}) collectgarbage()",
        "getfenv(1).tostring = nil",
        "pcall = nil coroutine.wrap(function() error = nil end)()",
    ],
)
def test_nothing_of_one_script_is_seen_by_the_next(first: str) -> None:
    try:
        text(first)
    except EvaluationError as error:
        assert "cannot change the environment" in str(error)

    assert text("return leak or string.leak or getmetatable('').leak or event.leak or 0") == "0"
    assert text('return ("x"):upper() .. math.floor(1.5) .. tostring(pcall(error))') == "X1false"
    assert text("return select('#', pcall(function() return 'a' + 'b' end))") == "2"


def test_a_finalizer_never_runs() -> None:
    script = """
        local ran = false
        do setmetatable({}, {__gc = function() ran = true end}) end
        for i = 1, 2e5 do local t = {i} end
        return tostring(ran)
    """

    assert text(script) == "false"


def test_a_worker_has_no_files_and_no_network() -> None:
    """Its limits are the kernel's, whatever an engine would offer."""
    run(lua.compile("return true").filter(pool(), b"{}"))
    (number,) = pool().processes
    limits = Path(f"/proc/{number}/limits").read_text()
    limit = {line[:25].strip(): line[26:46].strip() for line in limits.splitlines()}

    for name in ("Max open files", "Max file size", "Max core file size", "Max processes"):
        assert limit[name] == "0"
    environment = Path(f"/proc/{number}/environ").read_bytes()
    assert {entry.partition(b"=")[0] for entry in environment.split(b"\0")} <= {
        b"",
        b"TZ",
        b"LC_CTYPE",
    }
    assert Path(f"/proc/{number}/cwd").readlink() == Path("/")
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        descriptors = [path.readlink() for path in Path(f"/proc/{number}/fd").iterdir()]
    assert not any("socket" in str(target) for target in descriptors)


@pytest.mark.parametrize(
    ("module", "hint"),
    [("lupa", "pip install 'tiphys[lupa]'"), ("jq", "pip install 'tiphys[jq]'")],
)
async def test_a_missing_engine_is_named_with_its_remedy(
    module: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{module}.py").write_text("raise ImportError('not here')")
    monkeypatch.syspath_prepend(tmp_path)
    workers = lua.WorkerPool(size=1)

    try:
        with pytest.raises(EvaluationError) as caught:
            await lua.compile("return {}").transform(workers, b"{}")
            await jq.compile(".").transform(workers, b"{}")
    finally:
        await workers.close()

    assert str(caught.value).endswith(f"which is not installed; run: {hint}")


def test_an_engine_can_be_asked_for_before_any_event(monkeypatch: pytest.MonkeyPatch) -> None:
    lua.require_engine()
    jq.require_engine()
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)

    with pytest.raises(CompileError, match=r"tiphys\[lupa\]"):
        lua.require_engine()
    with pytest.raises(CompileError, match=r"tiphys\[jq\]"):
        jq.require_engine()
