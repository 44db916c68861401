"""Functions that look at the environment and the network; off unless a caller allows them."""

from __future__ import annotations

import os
import re
import secrets
import socket

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.functions import Function, function

__all__ = ["FUNCTIONS", "HARMLESS"]

_REFERENCE = re.compile(r"\$(?:\{([^}]*)\}|([*#$@!?0-9-])|([A-Za-z_][A-Za-z0-9_]*))")


def _expand(text: str) -> str:
    """Replace ``$NAME`` and ``${NAME}``."""
    return _REFERENCE.sub(
        lambda match: os.environ.get(match[1] or match[2] or match[3] or "", ""), text
    )


def _address(name: str) -> str:
    """One of the addresses of a host."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise EvaluationError(f"no address for host {name}") from None
    return str(secrets.choice(found)[4][0])


FUNCTIONS: dict[str, Function] = {
    "env": function("string", lambda name: os.environ.get(name, "")),
    "expandenv": function("string", _expand),
    "getHostByName": function("string", _address, cost=1000),
}

HARMLESS: dict[str, Function] = {name: function("string", lambda _text: "") for name in FUNCTIONS}
"""The same functions, which tell nothing."""
