"""The modules that the engines are in: optional, and imported in workers only."""

from __future__ import annotations

import importlib.util

from tiphys.languages._errors import CompileError

__all__ = ["missing", "require"]

_NEEDS = {
    "lupa": "Lua scripts need the module 'lupa'",
    "jq": "jq programs need the module 'jq'",
}


def missing(module: str) -> str:
    """What to say when *module* is not installed."""
    return f"{_NEEDS[module]}, which is not installed; run: pip install 'tiphys[{module}]'"


def require(module: str) -> None:
    """Raise CompileError unless *module* is installed; does not import it."""
    if importlib.util.find_spec(module) is None:
        raise CompileError(missing(module))
