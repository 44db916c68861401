"""A bucket of NATS, as Argo Events keeps its sensors' memory in one (spec: control plane 8.2.4)."""

from __future__ import annotations

import base64
import dataclasses
import secrets
from collections.abc import Mapping
from typing import Any

from tiphys.bus._base import Entry, State
from tiphys.bus.jetstream import names, stream
from tiphys.bus.jetstream.api import (
    API_TIMEOUT,
    MESSAGE_NOT_FOUND,
    WRONG_LAST_SEQUENCE,
    JetStreamApi,
    Refusal,
)
from tiphys.bus.jetstream.publisher import MESSAGE_ID, publish
from tiphys.bus.jetstream.reader import StreamReader
from tiphys.bus.jetstream.wire import parse_headers
from tiphys.errors import BusError, Conflict

_OPERATION = "KV-Operation"  # "DEL" or "PURGE" on what stands for a deleted key
_WRITE_TIMEOUT = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class _Stored:
    sequence: int
    value: bytes
    headers: Mapping[str, str]

    @property
    def deleted(self) -> bool:
        return self.headers.get(_OPERATION) in ("DEL", "PURGE")


class JetStreamState(State):
    """A bucket; see :class:`tiphys.bus.State`.  Revisions are sequences of its stream."""

    def __init__(self, api: JetStreamApi, bucket: str, config: Mapping[str, Any]) -> None:
        self._api = api
        self._stream = config["name"]
        self._prefix = f"$KV.{bucket}."
        # A replica answers direct requests as well, with what it has got so far.
        self._direct = bool(config.get("allow_direct")) and config.get("num_replicas", 1) == 1

    @classmethod
    async def open(cls, api: JetStreamApi, name: str, replicas: int) -> JetStreamState:
        """Find the bucket or create it.  Raises :exc:`BusError`."""
        bucket = names.bucket(name)
        config = await stream.ensure(
            api,
            {
                "name": f"KV_{bucket}",
                "subjects": [f"$KV.{bucket}.>"],
                "max_msgs_per_subject": 1,
                "storage": "file",
                "discard": "new",
                "allow_rollup_hdrs": True,
                "deny_delete": True,
                "allow_direct": True,
                "num_replicas": replicas,
            },
        )
        return cls(api, bucket, config)

    async def get(self, key: str) -> Entry | None:
        """The value of *key*."""
        stored = await self._last(key)
        if stored is None or stored.deleted:
            return None
        return Entry(stored.value, stored.sequence)

    async def put(self, key: str, value: bytes, *, revision: int | None = None) -> int:
        """Set *key* and return its new revision."""
        subject = self._prefix + names.key(key)
        # The id makes a write known to us when it has to be sent again.
        id = secrets.token_hex(12)
        expected = revision
        while True:
            try:
                return await publish(
                    self._api.link, subject, value, id=id, expected=expected, timeout=_WRITE_TIMEOUT
                )
            except Refusal as refusal:
                if refusal.code != WRONG_LAST_SEQUENCE:
                    raise
            last = await self._last(key)
            if last is not None and last.headers.get(MESSAGE_ID) == id:
                return last.sequence  # ours, sent twice because the link broke
            vacant = last is None or last.deleted
            found = 0 if last is None else last.sequence
            if revision != 0 or not vacant or found == expected:
                raise Conflict(f"{key!r} was changed by somebody else")
            expected = found

    async def delete(self, key: str) -> None:
        """Remove *key*, without the marker that NATS' own clients leave behind."""
        subject = self._prefix + names.key(key)
        await self._api.call(f"STREAM.PURGE.{self._stream}", {"filter": subject})

    async def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with *prefix*, sorted."""
        reader = StreamReader(
            self._api,
            self._stream,
            f"{self._prefix}>",
            {"deliver_policy": "last_per_subject"},
            headers_only=True,
        )
        found = [
            names.unescape(message.subject[len(self._prefix) :])
            async for message in reader.stored()
            if message.headers.get(_OPERATION) not in ("DEL", "PURGE")
        ]
        return sorted(key for key in found if key.startswith(prefix))

    async def _last(self, key: str) -> _Stored | None:
        subject = self._prefix + names.key(key)
        return await (self._direct_get(subject) if self._direct else self._get(subject))

    async def _direct_get(self, subject: str) -> _Stored | None:
        reply = await self._api.link.request(
            f"$JS.API.DIRECT.GET.{self._stream}.{subject}", timeout=API_TIMEOUT
        )
        headers = reply.headers or {}
        if headers.get("Status") == "404":
            return None
        if "Nats-Sequence" not in headers:
            raise BusError(f"the event bus answered with {headers} to the request for a key")
        return _Stored(int(headers["Nats-Sequence"]), reply.data, headers)

    async def _get(self, subject: str) -> _Stored | None:
        try:
            answer = await self._api.call(
                f"STREAM.MSG.GET.{self._stream}", {"last_by_subj": subject}
            )
        except Refusal as refusal:
            if refusal.code == MESSAGE_NOT_FOUND:
                return None
            raise
        message = answer["message"]
        return _Stored(
            message["seq"],
            base64.b64decode(message.get("data", "")),
            parse_headers(base64.b64decode(message.get("hdrs", ""))),
        )
