"""
Microseconds per evaluation of Lua scripts and jq programs, with the way to a worker and back.

    python -m benchmarks.languages_scripts [BODY.json]

"small" is an event of 40 bytes, "body" the given one, by default a real push event.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from tiphys.languages import jq, lua

BODY = Path(__file__).parent.parent / "tests/data/github/push-0.json"
SMALL = b'{"body":{"action":"opened","number":5}}'
FILTERS = (
    'return event.body ~= nil and event.body.action == "opened"',
    'return event.ref == "refs/heads/main" and #(event.commits or {}) > 0',
)
SCRIPTS = (
    "return {ref = event.ref, action = event.body and event.body.action}",
    "event.seen = true return event",
)
PROGRAMS = (
    "{ref, action: .body.action}",
    ".seen = true",
    '{names: [paths | map(tostring) | join(".")]}',
)
ROUNDS = 500


async def microseconds(evaluate: Callable[[], Awaitable[object]]) -> float:
    """The mean of many evaluations after the first."""
    await evaluate()
    start = time.perf_counter()
    for _ in range(ROUNDS):
        await evaluate()
    return (time.perf_counter() - start) / ROUNDS * 1e6


async def main(body: bytes) -> None:
    """Print the table."""
    pool = lua.WorkerPool(size=1)
    print(f"{len(body)} bytes")
    print(f"{'':72}{'small':>10}{'body':>10}")
    rows: list[tuple[str, Callable[[bytes], Awaitable[object]]]] = []
    for text in FILTERS:
        rows.append((f"filter    {text}", _bound(lua.compile(text).filter, pool)))
    for text in SCRIPTS:
        rows.append((f"transform {text}", _bound(lua.compile(text).transform, pool)))
    for text in PROGRAMS:
        rows.append((f"jq        {text}", _bound(jq.compile(text).transform, pool)))
    for title, evaluate in rows:
        small = await microseconds(lambda evaluate=evaluate: evaluate(SMALL))  # type: ignore[misc]
        large = await microseconds(lambda evaluate=evaluate: evaluate(body))  # type: ignore[misc]
        print(f"{title:72}{small:10.1f}{large:10.1f}")
    await pool.close()


def _bound(
    method: Callable[[lua.WorkerPool, bytes], Awaitable[object]], pool: lua.WorkerPool
) -> Callable[[bytes], Awaitable[object]]:
    return lambda data: method(pool, data)


if __name__ == "__main__":
    asyncio.run(main((Path(sys.argv[1]) if len(sys.argv) > 1 else BODY).read_bytes()))
