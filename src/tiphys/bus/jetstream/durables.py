"""Durable consumers on the stream of events: found, created, adapted, created again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tiphys.bus.jetstream import names
from tiphys.bus.jetstream.api import (
    CONSUMER_EXISTS,
    CONSUMER_NOT_FOUND,
    JetStreamApi,
    Refusal,
)
from tiphys.errors import ManifestError

STREAM = names.EVENTS
ACK_WAIT = 30.0  # seconds, the server's default (spec: control plane 8.2.6)
_DEFAULT_MAX_PENDING = 1000  # the server's default
_OWNER = "tiphys.trigger"


@dataclasses.dataclass
class Durable:
    """
    The consumer of one dependency of one trigger.

    Takes over one that is there, also of Argo Events, and changes in it only what differs: the
    filter, and how many messages may be pending.  Remembers what is needed to create it again where
    it was, should the server lose it.  *ack_wait* is after how many seconds it delivers again.
    """

    api: JetStreamApi
    sensor: str
    trigger: str
    dependency: str
    subject: str
    max_pending: int

    def __post_init__(self) -> None:
        self.name = names.durable(self.sensor, self.trigger, self.dependency)
        self.labels = {
            "sensorName": self.sensor,
            "triggerName": self.trigger,
            "dependencyName": self.dependency,
            "consumer": self.name,
        }
        self._owner = f"{self.sensor}/{self.trigger}/{self.dependency}"
        self._position = 0  # everything up to here was delivered
        self._settled = 0  # everything up to here was settled when we came
        self._inherited: set[int] = set()
        self._inherited_count = 0
        self._stream_created = ""
        self.ack_wait = ACK_WAIT

    async def open(self, start: datetime | None) -> None:
        """
        Find the consumer, or create it to deliver from *start* or from now on.

        Raises :exc:`ManifestError` when it cannot be used, and :exc:`BusError`.
        """
        stream = await self.api.call(f"STREAM.INFO.{STREAM}")
        self._stream_created = stream["created"]
        info = await self.info()
        if info is None:
            policy: dict[str, Any] = {"deliver_policy": "new"}
            if start is not None:
                moment = start.astimezone(UTC).isoformat().replace("+00:00", "Z")
                policy = {"deliver_policy": "by_start_time", "opt_start_time": moment}
            info = await self._create(policy)
        else:
            info = await self._adapt(info)
        self._position = info["delivered"]["stream_seq"]
        self._settled = info["ack_floor"]["stream_seq"]
        self._inherited_count = info["num_ack_pending"]
        self.ack_wait = info["config"]["ack_wait"] / 1e9

    async def info(self) -> dict[str, Any] | None:
        """What the server says of the consumer; None without one.  Raises :exc:`BusError`."""
        return await self.api.find(f"CONSUMER.INFO.{STREAM}.{self.name}", CONSUMER_NOT_FOUND)

    async def recreate(self, unsettled: Iterable[int]) -> int:
        """
        Create the consumer to deliver what nobody has settled, and return where it starts.

        *unsettled* are the sequences that were delivered to us and are still at work.
        """
        stream = await self.api.call(f"STREAM.INFO.{STREAM}")
        start = min(unsettled, default=self._position + 1)
        if len(self._inherited) < self._inherited_count:
            start = min(start, self._settled + 1)
        if stream["created"] != self._stream_created:
            start = 1  # the stream was lost as well, and counts anew
            self._stream_created = stream["created"]
        start = max(start, 1)
        await self._create({"deliver_policy": "by_start_sequence", "opt_start_seq": start})
        self._position = self._settled = start - 1
        self._inherited_count = 0
        return start

    def delivered(self, sequence: int) -> None:
        """Note that a message came."""
        if sequence > self._position:
            self._position = sequence
        elif self._inherited_count:
            self._inherited.add(sequence)

    async def _create(self, policy: dict[str, Any]) -> dict[str, Any]:
        config = {
            "durable_name": self.name,
            "ack_policy": "explicit",
            "filter_subject": self.subject,
            "replay_policy": "instant",
            "metadata": {_OWNER: self._owner},
            **policy,
        }
        if self.max_pending != _DEFAULT_MAX_PENDING:
            config["max_ack_pending"] = self.max_pending
        try:
            return await self._write(config, "create")
        except Refusal as refusal:
            if refusal.code != CONSUMER_EXISTS:
                raise
            return await self.api.call(f"CONSUMER.INFO.{STREAM}.{self.name}")

    async def _adapt(self, info: dict[str, Any]) -> dict[str, Any]:
        config = info["config"]
        owner = config.get("metadata", {}).get(_OWNER, self._owner)
        if owner != self._owner:
            raise ManifestError(
                f"the consumer {self.name!r} on the event bus belongs to {owner!r}, whose name has "
                f"the same hash as {self._owner!r}; rename the trigger or the dependency"
            )
        if config.get("deliver_subject") or config.get("ack_policy") != "explicit":
            raise ManifestError(
                f"the consumer {self.name!r} on the event bus is not a pull consumer with explicit "
                "acknowledgement; delete it, or rename the trigger or the dependency"
            )
        wanted = {"filter_subject": self.subject, "max_ack_pending": self.max_pending}
        if all(config.get(name) == value for name, value in wanted.items()):
            return info
        config = {name: value for name, value in config.items() if name != "filter_subjects"}
        return await self._write({**config, **wanted}, "update")

    async def _write(self, config: dict[str, Any], action: str) -> dict[str, Any]:
        body = {"stream_name": STREAM, "config": config, "action": action}
        try:
            return await self.api.call(f"CONSUMER.DURABLE.CREATE.{STREAM}.{self.name}", body)
        except Refusal as refusal:
            if refusal.status == 400 and refusal.code != CONSUMER_EXISTS:
                raise ManifestError(
                    f"the event bus does not accept the consumer of trigger {self.trigger!r} for "
                    f"dependency {self.dependency!r}: {refusal.description}"
                ) from refusal
            raise
