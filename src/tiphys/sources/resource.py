"""Resource: what happens to the objects of a Kubernetes API (spec: event sources 9.6)."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Any

import orjson
from pydantic import Field

from tiphys.kube import Change, name_of, namespace_of
from tiphys.languages import LanguageError, gjson, regexp
from tiphys.manifests.common import Block, SourceConfig
from tiphys.sources._base import Incoming, Source, SourceContext, source
from tiphys.sources._shared.known_objects import WHOLE, Stub, bare
from tiphys.sources._shared.kubernetes import Told, Watched, follow, moment_of
from tiphys.sources._shared.rules import missing
from tiphys.sources._shared.selectors import Selector, label_problems, label_selector

TYPES = {"ADDED": "ADD", "MODIFIED": "UPDATE", "DELETED": "DELETE"}
EQUAL, DIFFERENT = ("", "=", "=="), "!="
SELECTED = "selected"  # member of stubs: whether the object passed the conditions on fields
Object = dict[str, Any]


class ResourceFilter(Block):
    """Which objects count; all conditions must hold."""

    prefix: str = Field("", description="How the object's name must begin.")
    labels: list[Selector] = Field([], description="Conditions on labels, checked by the server.")
    fields: list[Selector] = Field(
        [],
        description="Conditions on fields: `key` is a path (gjson), `value` a regular expression "
        "that `==` must find and `!=` must not find in a string.",
    )
    created_by: str = Field(
        "", description="Moment (RFC 3339); objects that were created after it do not count."
    )
    after_start: bool = Field(
        False, description="Only what happened after the event source ran for the first time."
    )


class Config(SourceConfig):
    """Which resource, and what about it."""

    group: str = Field("", description="API group; the core group when empty.")
    version: str = Field("", description="Version of the group.", examples=["v1"])
    resource: str = Field("", description="Plural name of the resource, such as `pods`.")
    namespace: str = Field("", description="Namespace of the objects; all when empty.")
    event_types: list[str] | None = Field(
        None, description="What counts: `ADD`, `UPDATE`, `DELETE`; required, may be empty."
    )
    filter: ResourceFilter | None = Field(  # type: ignore[assignment]  # no expression, as there
        None, description="Which objects count."
    )


@source("resource", delivery="at-least-once", replicas="one", ordered=True)
class Resource(Source[Config]):
    """
    Lists and watches a resource.

    What was told is remembered, so that a restart tells what happened meanwhile and nothing twice.
    """

    def check(self) -> list[str]:
        """What is wrong with the options."""
        config = self.config
        problems = missing(version=config.version, resource=config.resource)
        if config.event_types is None:
            problems.append("`eventTypes` is missing")
        known = list(TYPES.values())
        problems += [
            f"`eventTypes[{index}]` must be one of {', '.join(known)}, not `{name}`"
            for index, name in enumerate(config.event_types or [])
            if name not in known
        ]
        return problems + _filter_problems(self._filter)

    async def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """Turn each change that counts into an event."""
        conditions = [_Condition.of(one) for one in self._filter.fields]
        config = self.config
        watched = Watched(
            config.group, config.version, config.resource, config.namespace,
            label_selector(self._filter.labels),
        )  # fmt: skip

        def stub(obj: Object) -> Object:
            return {**bare(obj), SELECTED: _selected(conditions, obj)}

        whole = 0 if config.resource == "secrets" else WHOLE
        async with aclosing(follow(ctx, watched, stub, whole=whole)) as told:
            async for one in told:
                if self._counts(one, conditions, ctx.clock.now()):
                    id = f"{ctx.event_source}:{ctx.event_name}:{_identity(one.change)}"
                    yield Incoming(self._payload(one.change), id, one.ack)
                else:
                    one.settle()

    @property
    def _filter(self) -> ResourceFilter:
        return self.config.filter or ResourceFilter()

    def _counts(self, told: Told, conditions: list[_Condition], now: datetime) -> bool:
        change, filter = told.change, self._filter
        if TYPES[change.type] not in (self.config.event_types or []):
            return False
        if not name_of(change.object).startswith(filter.prefix):
            return False
        if filter.after_start and _before(change, told.began.replace(microsecond=0), now):
            return False
        limit = moment_of(filter.created_by)
        if limit is not None and _created(change.object, now) > limit:
            return False
        return _selected(conditions, change.object)

    def _payload(self, change: Change) -> Object:
        body = change.object
        if isinstance(body, Stub):
            body = {key: value for key, value in body.items() if key != SELECTED}
        if change.missed:  # as Argo Events writes a deletion that nobody saw
            namespace, name = namespace_of(body), name_of(body)
            body = {"Key": f"{namespace}/{name}" if namespace else name, "Obj": body}
        known = change.type == "MODIFIED" and not isinstance(change.old, Stub)
        return {
            "type": TYPES[change.type],
            "body": body,
            "oldBody": change.old if known else None,
            "group": self.config.group,
            "version": self.config.version,
            "resource": self.config.resource,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class _Condition:
    """A condition on a field, understood."""

    path: gjson.Path
    pattern: regexp.Regexp
    wanted: bool

    @classmethod
    def of(cls, selector: Selector) -> _Condition:
        """Raises :exc:`LanguageError`; a missing operation means ``==``."""
        return cls(
            gjson.compile(selector.key),
            regexp.compile(selector.value),
            selector.operation != DIFFERENT,
        )

    def holds(self, document: gjson.Document) -> bool:
        """Whether it holds; never where the field is missing.  Only strings have a text."""
        try:
            found = self.path.get(document)
        except LanguageError:  # it takes too much time or memory
            return False
        if not found.exists:
            return False
        text = found.text if found.type is gjson.Kind.STRING else ""
        return self.pattern.search(text) is self.wanted


def _selected(conditions: list[_Condition], obj: Object) -> bool:
    """Whether all conditions on fields hold."""
    if isinstance(obj, Stub):
        return bool(obj.get(SELECTED, True))
    if not conditions:
        return True
    document = gjson.Document(orjson.dumps(obj))
    return all(condition.holds(document) for condition in conditions)


def _identity(change: Change) -> str:
    """
    Which change of which object this is.

    A deletion has the version of the last state that was told, since one that was missed has
    no other.
    """
    if change.type == "DELETED" and change.old is not None:
        metadata = change.old["metadata"]
        return f"{metadata.get('uid')}:{metadata.get('resourceVersion')}:DELETE"
    metadata = change.object["metadata"]
    return f"{metadata.get('uid')}:{metadata.get('resourceVersion')}"


def _before(change: Change, began: datetime, now: datetime) -> bool:
    """
    Whether a change happened before *began*, when the first run began; both in whole seconds.

    No update did: its object was different when a run saw it, whether a watch tells of it now or
    a listing.  The managed fields would not know, which servers do not keep for every object.
    """
    if change.type == "MODIFIED":
        return False
    if change.type == "DELETED":
        return (moment_of(change.object["metadata"].get("deletionTimestamp")) or now) < began
    return _created(change.object, now) < began


def _created(obj: Object, now: datetime) -> datetime:
    return moment_of(obj["metadata"].get("creationTimestamp")) or now


def _filter_problems(filter: ResourceFilter) -> list[str]:
    problems = label_problems(filter.labels, "filter.labels")
    for index, selector in enumerate(filter.fields):
        where = f"`filter.fields[{index}]`"
        if not selector.key:
            problems.append(f"{where}: `key` is missing")
        if selector.operation not in (*EQUAL, DIFFERENT):
            problems.append(
                f"{where}: `operation` must be `=`, `==` or `!=`, not `{selector.operation}`"
            )
        try:
            _Condition.of(selector)
        except LanguageError as error:
            problems.append(f"{where}: {error}")
    if filter.created_by and moment_of(filter.created_by) is None:
        problems.append("`filter.createdBy` is no time such as `2026-01-31T12:00:00Z`")
    return problems
