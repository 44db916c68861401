"""What an event source has told of the objects of a cluster, kept across restarts."""

from __future__ import annotations

import asyncio
import dataclasses
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
import structlog

from tiphys.kube import Change, name_of, namespace_of
from tiphys.sources._base import Store

Object = dict[str, Any]
Key = tuple[str, str]  # namespace and name
WHOLE = 500  # objects that are kept with everything in them; of more, only stubs are
LARGEST = 768 * 1024  # bytes of a record; buses take a megabyte at a time
log = structlog.get_logger("argo-events.eventsource")


class Stub(dict[str, Any]):
    """An object of which only a part is known."""


@dataclasses.dataclass(slots=True)
class Step:
    """A change on its way, and the resource version that is reached with it."""

    change: Change
    version: str
    settled: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """
    Where a record is, and how it is made.

    *about* says what is watched: a record about something else counts for nothing.  *stub*
    gives the part of an object that is kept when there are more than *whole* of them.
    """

    store: Store
    key: str
    about: str
    stub: Callable[[Object], Object]
    whole: int = WHOLE


class Known:
    """
    The objects as they were told, up to the first change that is not settled yet.

    *version* is the resource version that belongs to them, empty where there is none: then only a
    listing tells what happened since.  *began* is when the first run began.
    """

    def __init__(self, place: Place, began: datetime) -> None:
        self.objects: dict[Key, Object] = {}
        self.version = ""
        self.began = began
        self._place = place
        self._steps: deque[Step] = deque()
        self._changed = True
        self._warned = False

    @classmethod
    async def load(cls, place: Place, now: datetime) -> Known:
        """What was saved, or nothing.  Raises :exc:`BusError`."""
        known = cls(place, now)
        packed = await place.store.get(place.key)
        if packed is None:
            return known
        record = orjson.loads(zlib.decompress(packed))
        if record["about"] != place.about:
            return known
        known.began = datetime.fromisoformat(record["began"])
        known.version = record["version"]
        for obj in [*record["objects"], *map(Stub, record["stubs"])]:
            known.objects[_key(obj)] = obj
        known._changed = False
        return known

    def begin(self, change: Change, version: str) -> Step:
        """Note a change that is about to be told."""
        step = Step(change, version)
        self._steps.append(step)
        return step

    def settle(self, step: Step) -> None:
        """The change was told, or need not be."""
        step.settled = True
        while self._steps and self._steps[0].settled:
            done = self._steps.popleft()
            self.version = done.version
            self._changed = True
            if done.change.type == "DELETED":
                self.objects.pop(_key(done.change.object), None)
            else:
                self.objects[_key(done.change.object)] = done.change.object

    def reached(self, version: str) -> None:
        """Nothing else happened up to *version*."""
        if not self._steps and version != self.version:
            self.version = version
            self._changed = True

    async def save(self) -> None:
        """Keep it, if there is anything new.  Raises :exc:`BusError`."""
        if not self._changed:
            return
        self._changed = False
        head = {
            "about": self._place.about,
            "began": self.began.isoformat(),
            "version": self.version,
        }
        try:
            packed = await asyncio.to_thread(
                _packed, head, list(self.objects.values()), self._place
            )
            self._judge(len(packed))
            await self._place.store.put(
                self._place.key, packed if len(packed) <= LARGEST else _NOTHING
            )
        except BaseException:
            self._changed = True
            raise

    def _judge(self, size: int) -> None:
        """Say once that the record is too large, where it is."""
        if size > LARGEST and not self._warned:
            log.warning(
                "There are too many objects to remember, a restart tells of all of them again",
                watch=self._place.about,
                count=len(self.objects),
            )
        self._warned = size > LARGEST


def bare(obj: Object) -> Object:
    """Who an object is: the least that a stub holds."""
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp", "labels")
    return {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata": {key: metadata[key] for key in kept if key in metadata},
    }


def _key(obj: Object) -> Key:
    return namespace_of(obj), name_of(obj)


def _packed(head: Mapping[str, Any], objects: list[Object], place: Place) -> bytes:
    """The record: objects whole where they are few, else what fits of them."""
    if len(objects) <= place.whole:
        packed = _compressed(head, objects, place, whole=True)
        if len(packed) <= LARGEST:
            return packed
    return _compressed(head, objects, place, whole=False)


def _compressed(
    head: Mapping[str, Any], objects: list[Object], place: Place, *, whole: bool
) -> bytes:
    kept: list[Object] = []
    stubs: list[Object] = []
    for obj in objects:
        if isinstance(obj, Stub):
            stubs.append(obj)
        elif whole:
            kept.append(obj)
        else:
            stubs.append(place.stub(obj))
    return zlib.compress(orjson.dumps({**head, "objects": kept, "stubs": stubs}), 1)


_NOTHING = zlib.compress(orjson.dumps({"about": ""}))  # a record about nothing
