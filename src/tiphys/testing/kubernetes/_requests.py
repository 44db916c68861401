"""Requests: what a path and its query ask for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tiphys.testing.kubernetes._answers import ApiError, option_error
from tiphys.testing.kubernetes._problems import Problem

LONGEST = 128  # bytes of the name of a field manager
VALIDATIONS = ("", "Ignore", "Strict", "Warn")
METHODS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()


@dataclasses.dataclass(slots=True)
class Request:
    """
    One request.

    *verb* is that of the authorization rules; *resource* says whether it is about objects (then
    *plural* is set) or about a path such as ``/version``.
    """

    method: str
    path: str
    query: Mapping[str, str]
    user: User
    agent: str = ""
    body: bytes = b""
    content_type: str = ""
    accept: str = ""
    verb: str = ""
    group: str = ""
    version: str = ""
    namespace: str = ""
    plural: str = ""
    name: str = ""
    subresource: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)

    @property
    def resource(self) -> bool:
        """Whether this is about objects."""
        return bool(self.plural)

    @property
    def watching(self) -> bool:
        """Whether changes are to be sent."""
        return self.query.get("watch", "false") in ("true", "1", "")

    def check_options(self) -> None:
        """Raise a 422 for options of a write that make no sense."""
        if len(self.query.get("fieldManager", "").encode()) > LONGEST:
            message = f"Too long: may not be more than {LONGEST} bytes"
            raise self._refused(Problem("FieldValueTooLong", "fieldManager", message))
        value = self.query.get("fieldValidation", "")
        if value not in VALIDATIONS:
            raise self._refused(Problem.unsupported("fieldValidation", value, VALIDATIONS))

    def _refused(self, problem: Problem) -> ApiError:
        kind = {"POST": "Create", "PUT": "Update", "PATCH": "Patch"}.get(self.method, "Delete")
        return option_error(f"{kind}Options", problem)

    @property
    def dry_run(self) -> bool:
        """Whether nothing is to be stored.  Raises a 422 for unknown values."""
        value = self.query.get("dryRun", "")
        if value not in ("", "All"):
            message = f'Unsupported value: ["{value}"]: supported values: "All"'
            raise self._refused(Problem("FieldValueNotSupported", "dryRun", message))
        return value == "All"

    @property
    def manager(self) -> str:
        """The field manager: the one that is named, else the program's name."""
        return self.query.get("fieldManager") or self.agent.partition("/")[0][:128] or "unknown"

    @property
    def validation(self) -> str:
        """What is to be done about unknown fields."""
        return self.query.get("fieldValidation") or "Warn"

    def find(self) -> None:
        """Take the path apart; paths that are not about objects stay as they are."""
        parts = [part for part in self.path.split("/") if part]
        self.verb = self.method.lower()
        if len(parts) >= 3 and parts[0] == "api":
            self.version, rest = parts[1], parts[2:]
        elif len(parts) >= 4 and parts[0] == "apis":
            self.group, self.version, rest = parts[1], parts[2], parts[3:]
        else:
            return
        if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
            self.namespace, rest = rest[1], rest[2:]
        elif rest[0] == "namespaces" and len(rest) > 1:
            self.namespace = rest[1]
        self.plural = rest[0]
        self.name = rest[1] if len(rest) > 1 else ""
        self.subresource = "/".join(rest[2:])
        self.verb = self._verb()

    def _verb(self) -> str:
        if self.method == "GET":
            return "get" if self.name else "watch" if self.watching else "list"
        if self.method == "DELETE" and not self.name:
            return "deletecollection"
        if self.method not in METHODS:
            raise ApiError(
                405,
                "MethodNotAllowed",
                "the server does not allow this method on the requested resource",
                {},
            )
        return METHODS[self.method]
