"""What a user can set: where the servers are, who we are, and how the stream is kept."""

from __future__ import annotations

import dataclasses
import ssl
from collections.abc import Mapping
from typing import Any, Self

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tiphys.errors import ManifestError, SecretError
from tiphys.languages import LanguageError, durations

_RETENTION = ("limits", "interest", "workqueue")
_DISCARD = ("old", "new")


@dataclasses.dataclass(frozen=True, slots=True)
class Credentials:
    """A user and password, or a token; kept out of every text."""

    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    token: str = dataclasses.field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """Read ``auth.yaml`` (spec: control plane 8.6.1).  Raises :exc:`SecretError`."""
        try:
            members = _mapping(text, "base")  # a password may look like a number
        except ValueError:
            # The text of a parser's complaint would quote the secret.
            raise SecretError(
                "failed to load auth.yaml. err: it must be a YAML map with the keys "
                '"username" and "password", or "token"'
            ) from None
        given = {name: members[name] for name in ("username", "password", "token")
                 if members.get(name) is not None}  # fmt: skip
        return cls(**{name: str(value) for name, value in given.items()})


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    """
    The servers to try, and how to speak to them.

    With *tls* the link is encrypted or it is not made.  Without, the link is plain where the server
    allows it and encrypted without verification where the server demands TLS, which Argo Events
    demands always; a ``tls://`` address demands it as well.
    """

    servers: tuple[str, ...]
    credentials: Credentials | None = None
    tls: ssl.SSLContext | None = None

    @classmethod
    def at(cls, url: str, **rest: Any) -> Endpoint:
        """The endpoint of a comma separated list of addresses."""
        servers = tuple(part.strip() for part in url.split(",") if part.strip())
        if not servers:
            raise ManifestError("the address of the event bus is missing", path="url")
        return cls(servers, **rest)

    @property
    def demands_tls(self) -> bool:
        """Whether a plain link is out of the question."""
        return self.tls is not None or any(s.startswith(("tls:", "wss:")) for s in self.servers)

    def context(self) -> ssl.SSLContext:
        """What a server that speaks TLS is met with."""
        if self.tls is not None:
            return self.tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


@dataclasses.dataclass(frozen=True, slots=True)
class StreamSettings:
    """
    How the stream of events is created; an existing one stays as it is (spec: control plane 8.2.2).

    *max_age* and *duplicates* are in nanoseconds.  What is 0 gets the server's default: no limit,
    one replica, two minutes for *duplicates*.
    """

    max_messages: int = 0
    max_age: int = 0
    max_bytes: int = 0
    replicas: int = 0
    duplicates: int = 0
    retention: int = 0
    discard: int = 0

    @classmethod
    def shipped(cls) -> Self:
        """The settings of a managed bus whose manifest says nothing (spec: control plane 6.2)."""
        hour = 3_600_000_000_000
        return cls(
            max_messages=50_000, max_age=168 * hour, max_bytes=-1, replicas=3,
            duplicates=hour // 12,
        )  # fmt: skip

    def merged(self, text: str) -> StreamSettings:
        """
        These settings with those of a ``streamConfig`` over them.

        Raises :exc:`ManifestError` for what is not a YAML map.
        """
        try:
            members = _mapping(text)
        except ValueError as error:
            raise ManifestError(str(error), path="streamConfig") from error
        keys = {
            "maxmsgs": ("max_messages", _integer),
            "maxage": ("max_age", _duration),
            "maxbytes": ("max_bytes", _integer),
            "replicas": ("replicas", _integer),
            "duplicates": ("duplicates", _duration),
            "retention": ("retention", _integer),
            "discard": ("discard", _integer),
        }
        given = {str(name).lower(): value for name, value in members.items()}
        changes = {field: read(given[name]) for name, (field, read) in keys.items()
                   if name in given}  # fmt: skip
        return dataclasses.replace(self, **changes)

    def request(self, name: str, subjects: list[str]) -> dict[str, Any]:
        """
        The configuration that the server is asked for.

        Raises :exc:`ManifestError` for a retention or discard policy that does not exist.
        """
        if not 0 <= self.retention < len(_RETENTION):
            raise ManifestError(
                f"retention {self.retention} is not 0 (limits), 1 (interest) or 2 (work queue)",
                path="streamConfig",
            )
        if not 0 <= self.discard < len(_DISCARD):
            raise ManifestError(
                f"discard {self.discard} is not 0 (old) or 1 (new)", path="streamConfig"
            )
        return {
            "name": name,
            "subjects": subjects,
            "storage": "file",
            "retention": _RETENTION[self.retention],
            "discard": _DISCARD[self.discard],
            "max_msgs": self.max_messages,
            "max_age": self.max_age,
            "max_bytes": self.max_bytes,
            "num_replicas": self.replicas,
            "duplicate_window": self.duplicates,
        }


def _mapping(text: str, kind: str = "safe") -> Mapping[str, Any]:
    """
    The members of a YAML map; an empty text has none.  Raises ValueError.

    *kind* ``base`` makes texts of all scalars, ``safe`` what they look like.
    """
    try:
        value = YAML(typ=kind, pure=True).load(text)
    except YAMLError as error:
        raise ValueError(f"it is not YAML: {error}") from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("it is not a YAML map")
    return value


def _integer(value: object) -> int:
    """A number however it was written; what cannot be read counts as 0, as in Argo Events."""
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError):
        return 0


def _duration(value: object) -> int:
    """A duration text, or a number of nanoseconds; what cannot be read counts as 0."""
    if isinstance(value, str):
        try:
            return durations.parse(value if any(c in "nsuµmh" for c in value) else value + "ns")
        except LanguageError:
            return 0
    return _integer(value)
