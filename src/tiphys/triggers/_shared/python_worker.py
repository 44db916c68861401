"""
The process that runs one Python action; started as a script, apart from the rest of the package.

On standard input comes a JSON object: ``function`` or ``code``, ``paths``, ``memory`` in bytes,
``events`` and ``payload``.  The result goes to standard output as JSON; what the action prints goes
to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

FAILED, UNUSABLE = 1, 3  # exit statuses: the action raised an error; there is none to run


def main() -> int:
    """Run the action."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    task = json.load(sys.stdin)
    _limit(task["memory"])
    sys.path[:0] = task["paths"]
    try:
        action = _inline(task["code"]) if task["code"] else _imported(task["function"])
    except Exception:  # noqa: BLE001 - importing may raise anything
        traceback.print_exc()
        return UNUSABLE
    arguments = [task["events"]]
    if task["payload"] is not None:
        arguments.append(task["payload"])
    try:
        result = json.dumps(action(*arguments))
    except Exception:  # noqa: BLE001 - and so may the action
        traceback.print_exc()
        return FAILED
    with results:
        results.write(result)
    return 0


def _inline(code: str) -> Any:
    """An action that runs *code*, whose variable ``result`` is the result."""
    compiled = compile(code, "<code>", "exec")

    def action(events: Any, payload: Any = None) -> Any:
        variables = {"__name__": "__action__", "events": events, "payload": payload}
        exec(compiled, variables)
        return variables.get("result")

    return action


def _imported(path: str) -> Any:
    """The function ``module:function``."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _limit(memory: int) -> None:
    """Let this process have *memory* bytes more than it has now."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # not Linux
        pages = 0
    limit = pages * resource.getpagesize() + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    sys.exit(main())
