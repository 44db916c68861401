"""Which endpoint answers a path (spec: event sources 5.2): exact paths and path templates."""

from __future__ import annotations

import posixpath
from typing import Any, Generic, TypeVar

import re2

from tiphys.errors import ManifestError

RouteT = TypeVar("RouteT")


class Routes(Generic[RouteT]):
    """
    The routes of one port.

    Exact paths come first, then templates in the order in which they were added.  Only canonical
    paths are ever looked for, so an endpoint that is not canonical never answers, and one without
    a leading slash neither; Argo Events has it so.
    """

    def __init__(self) -> None:
        self.exact: dict[str, RouteT] = {}
        self._templates: dict[str, tuple[Any, RouteT]] = {}

    def add(self, endpoint: str, route: RouteT) -> None:
        """
        Add a route.

        Raises :exc:`ManifestError` for a broken template; the caller sees to duplicates.
        """
        if "{" in endpoint or "}" in endpoint:
            self._templates[endpoint] = (compile_template(endpoint), route)
        else:
            self.exact[endpoint] = route

    def remove(self, endpoint: str) -> None:
        """Remove a route."""
        self.exact.pop(endpoint, None)
        self._templates.pop(endpoint, None)

    def get(self, endpoint: str) -> RouteT | None:
        """The route that was added under *endpoint*."""
        if endpoint in self._templates:
            return self._templates[endpoint][1]
        return self.exact.get(endpoint)

    def match(self, path: str) -> RouteT | None:
        """The first template's route that matches the whole canonical *path*."""
        for pattern, route in self._templates.values():
            if pattern.fullmatch(path):
                return route
        return None

    def all(self) -> list[RouteT]:
        """Every route there is."""
        return [*self.exact.values(), *(route for _, route in self._templates.values())]

    def __len__(self) -> int:
        return len(self.exact) + len(self._templates)


def clean_path(path: str) -> str:
    """The canonical form: no ``//``, ``.`` or ``..``; a trailing slash is kept."""
    if not path:
        return "/"
    cleaned = posixpath.normpath("/" + path.lstrip("/"))
    return cleaned + "/" if path.endswith("/") and cleaned != "/" else cleaned


def compile_template(template: str) -> Any:
    """
    The RE2 pattern of a path template; ``{name}`` matches a segment, ``{name:regex}`` the regex.

    Raises :exc:`ManifestError` when braces or a regex are wrong.
    """
    parts: list[str] = []
    position = 0
    for start, end in _variables(template):
        name, colon, regex = template[start + 1 : end].partition(":")
        if not name or (colon and not regex):
            raise ManifestError(f"the endpoint {template!r} has a variable without name or pattern")
        parts += [re2.escape(template[position:start]), f"(?:{regex or '[^/]+'})"]
        position = end + 1
    parts.append(re2.escape(template[position:]))
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile("".join(parts), options)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace")  # the library speaks in bytes
        raise ManifestError(f"the endpoint {template!r} has a broken pattern: {reason}") from error


def _variables(template: str) -> list[tuple[int, int]]:
    """Where the outermost braces open and close; the patterns inside may have braces, too."""
    found: list[tuple[int, int]] = []
    depth = start = 0
    for position, character in enumerate(template):
        if character == "{":
            if not depth:
                start = position
            depth += 1
        elif character == "}":
            depth -= 1
            if not depth:
                found.append((start, position))
        if depth < 0:
            break
    if depth:
        raise ManifestError(f"the endpoint {template!r} has unbalanced braces")
    return found
