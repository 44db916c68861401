"""Lua and jq: what a script may cost, and that no other one pays for it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tiphys.languages import EvaluationError, LimitExceeded, jq, lua

SECONDS = 0.4
GOOD = lua.compile("return true")


@asynccontextmanager
async def workers(
    size: int = 1, timeout: float = SECONDS, memory: int = 64
) -> AsyncIterator[lua.WorkerPool]:
    pool = lua.WorkerPool(size=size, timeout=timeout, memory_limit=memory << 20)
    try:
        yield pool
    finally:
        await pool.close()


@pytest.mark.parametrize(
    "script",
    [
        "while true do end",
        "pcall(function() while true do end end)",
        "while true do pcall(function() while true do end end) end",
        "coroutine.wrap(function() while true do end end)()",
        "while true do coroutine.resume(coroutine.create(function() error('x') end)) end",
        "::top:: goto top",
        "local function f() return f() end f()",
        'string.find(("a"):rep(3000), ".-.-.-b")',
        'for i = 1, 1e9 do local s = ("x"):rep(100) end',
        "setmetatable(event, {__index = function() while true do end end}) return event.x",
        "local t = {} for i = 1, 1e9 do t[1] = i end",
    ],
)
async def test_an_endless_script_is_ended(script: str) -> None:
    async with workers() as pool:
        with pytest.raises(LimitExceeded, match=r"took longer than 0.4 s"):
            await lua.compile(script).filter(pool, b"{}")

        assert await GOOD.filter(pool, b"{}")


@pytest.mark.parametrize(
    "script",
    [
        'return #("x"):rep(1e9)',
        'local s = "x" while true do s = s .. s end',
        "local t = {} while true do t[#t + 1] = {1, 2, 3} end",
        'local t = {} while true do t[#t + 1] = ("x"):rep(1e6) .. #t end',
        "local t = {} for i = 1, 200 do t[i] = i end"
        ' return string.format(("%1000000d"):rep(200), unpack(t))',
        'local t = {} for i = 1, 1e9 do t["k" .. i] = i end',
    ],
)
async def test_the_memory_of_a_lua_script_is_limited(script: str) -> None:
    async with workers(timeout=20.0) as pool:
        with pytest.raises(LimitExceeded, match="not enough memory"):
            await lua.compile(script).filter(pool, b"{}")

        assert await GOOD.filter(pool, b"{}")


async def test_a_script_that_catches_its_lack_of_memory_goes_on() -> None:
    script = lua.compile('return not pcall(string.rep, "x", 1e9)')

    async with workers(timeout=20.0) as pool:
        assert await script.filter(pool, b"{}")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("local function f() return 1 + f() end return f()", "stack overflow"),
        ("local function f() return pcall(f) end f() error('done')", "done"),
        ("local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x", "loop"),
        ("return string.rep('x', 1, 2, 3) .. nil", "cannot perform concat"),
        ('return ("x"):rep(1e6):find(("(x?)"):rep(40))', "too many captures"),
    ],
)
async def test_recursion_without_end_is_an_error(script: str, message: str) -> None:
    async with workers(timeout=20.0) as pool:
        with pytest.raises(EvaluationError, match=message):
            await lua.compile(script).filter(pool, b"{}")


@pytest.mark.parametrize(
    "program",
    ["last(repeat(1))", "def f: f; f", "[limit(1; repeat(empty))]", "until(false; .)"],
)
async def test_an_endless_program_is_ended(program: str) -> None:
    async with workers() as pool:
        with pytest.raises(LimitExceeded, match=r"took longer than 0.4 s"):
            await jq.compile(program).transform(pool, b"{}")

        assert await jq.compile(".").transform(pool, b"{}") == b"{}"


@pytest.mark.parametrize(
    "program",
    ["[repeat(1)]", '"x" | until(false; . + .)', "def f: 1 + f; f", "[range(1e9)]"],
)
async def test_the_memory_of_a_program_is_limited(program: str) -> None:
    async with workers(timeout=20.0) as pool:
        with pytest.raises(LimitExceeded, match="not enough memory"):
            await jq.compile(program).transform(pool, b"{}")

        assert await jq.compile(".").transform(pool, b"{}") == b"{}"


async def test_a_program_without_room_for_its_event_is_ended() -> None:
    data = b'{"a":"' + b"x" * 6_000_000 + b'"}'

    async with workers(timeout=20.0, memory=64) as pool:
        with pytest.raises(LimitExceeded, match="not enough memory"):
            await jq.compile(".").transform(pool, data)

        assert await GOOD.filter(pool, b"{}")


async def test_other_evaluations_go_on_meanwhile() -> None:
    async with workers(size=2, timeout=3.0) as pool:
        endless = asyncio.create_task(lua.compile("while true do end").filter(pool, b"{}"))
        done = [await GOOD.filter(pool, b"{}") for _ in range(50)]

        assert all(done)
        assert not endless.done()
        with pytest.raises(LimitExceeded):
            await endless


async def test_the_event_loop_is_never_held() -> None:
    async with workers() as pool:
        endless = asyncio.create_task(jq.compile("last(repeat(1))").transform(pool, b"{}"))
        turns = 0
        while not endless.done():
            await asyncio.sleep(0)
            turns += 1

        assert turns > 100
        with pytest.raises(LimitExceeded):
            await endless


async def test_a_worker_that_overran_is_replaced() -> None:
    async with workers() as pool:
        await GOOD.filter(pool, b"{}")
        before = pool.processes
        with pytest.raises(LimitExceeded):
            await lua.compile("while true do end").filter(pool, b"{}")
        await GOOD.filter(pool, b"{}")

        assert len(pool.processes) == len(before) == 1
        assert pool.processes.isdisjoint(before)


async def test_a_worker_that_died_is_replaced() -> None:
    async with workers() as pool:
        await GOOD.filter(pool, b"{}")
        (number,) = pool.processes
        os.kill(number, signal.SIGKILL)
        while is_running(number):
            await asyncio.sleep(0.01)

        assert await GOOD.filter(pool, b"{}")


async def test_a_worker_that_dies_at_work_fails_its_event_only() -> None:
    async with workers() as pool:
        evaluation = asyncio.create_task(lua.compile("while true do end").filter(pool, b"{}"))
        while not pool.processes:
            await asyncio.sleep(0.01)
        (number,) = pool.processes
        os.kill(number, signal.SIGTERM)

        with pytest.raises(EvaluationError, match=f"ended by signal {int(signal.SIGTERM)}"):
            await evaluation
        assert await GOOD.filter(pool, b"{}")


async def test_callers_beyond_the_workers_wait_in_line() -> None:
    async with workers(timeout=10.0) as pool:
        slow = lua.compile("for i = 1, 2e5 do end return true")
        order: list[int] = []

        async def evaluate(number: int) -> None:
            assert await slow.filter(pool, b"{}")
            order.append(number)

        await asyncio.gather(*(evaluate(number) for number in range(20)))

        assert order == list(range(20))
        assert len(pool.processes) == 1


async def test_a_cancelled_evaluation_frees_its_worker() -> None:
    async with workers(timeout=10.0) as pool:
        await GOOD.filter(pool, b"{}")
        endless = asyncio.create_task(lua.compile("while true do end").filter(pool, b"{}"))
        waiting = asyncio.create_task(GOOD.filter(pool, b"{}"))
        await asyncio.sleep(0.05)
        endless.cancel()

        assert await waiting
        with pytest.raises(asyncio.CancelledError):
            await endless


async def test_a_cancelled_caller_in_line_keeps_nobody_waiting() -> None:
    async with workers(timeout=0.5) as pool:
        endless = asyncio.create_task(lua.compile("while true do end").filter(pool, b"{}"))
        await asyncio.sleep(0.01)
        first, second = (asyncio.create_task(GOOD.filter(pool, b"{}")) for _ in range(2))
        await asyncio.sleep(0.01)
        first.cancel()

        assert await second
        with pytest.raises(LimitExceeded):
            await endless


async def test_closing_ends_the_processes_and_what_they_do() -> None:
    async with workers(timeout=10.0) as pool:
        endless = asyncio.create_task(lua.compile("while true do end").filter(pool, b"{}"))
        waiting = asyncio.create_task(GOOD.filter(pool, b"{}"))
        while not pool.processes:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        numbers = pool.processes
        await pool.close()

        assert not any(is_running(number) for number in numbers)
        for task in (endless, waiting):
            with pytest.raises(EvaluationError):
                await task
        with pytest.raises(EvaluationError, match="the pool is closed"):
            await GOOD.filter(pool, b"{}")


async def test_large_events_and_results_pass_the_pipes() -> None:
    data = b'{"a":"' + b"x" * 3_000_000 + b'"}'

    async with workers(timeout=20.0, memory=256) as pool:
        assert await lua.compile("return event").transform(pool, data) == data
        assert await jq.compile(".").transform(pool, data) == data


@pytest.mark.parametrize("busy", [False, True])
def test_workers_end_with_their_parent(busy: bool) -> None:
    program = textwrap.dedent("""
        import asyncio, sys
        from tiphys.languages import lua

        async def main():
            pool = lua.WorkerPool(size=1, timeout=1000.0)
            await lua.compile("return true").filter(pool, b"{}")
            print(*pool.processes, flush=True)
            await lua.compile(sys.argv[1]).filter(pool, b"{}")
            await asyncio.sleep(1000)

        asyncio.run(main())
    """)
    script = "while true do end" if busy else "return true"
    arguments = [sys.executable, "-c", program, script]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        number = int(parent.stdout.readline())
        time.sleep(0.2)
        parent.kill()
    deadline = time.monotonic() + 20

    while is_running(number) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert not is_running(number)


def is_running(number: int) -> bool:
    """Whether the process is there and has not ended; one that nobody waits for stays listed."""
    try:
        status = Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
