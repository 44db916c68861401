"""What an EventSource must say (spec: event sources 1.7)."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from tiphys.errors import MissingExtraError
from tiphys.manifests.common import Filter, SourceConfig
from tiphys.manifests.event_source import EventSourceSpec
from tiphys.manifests.known import EVENT_TYPES, Replicas
from tiphys.manifests.rules import endpoints, expressions, unknown_keys
from tiphys.manifests.rules._report import Scope
from tiphys.manifests.validation import fit
from tiphys.manifests.webhook import WebhookContext

NOT_YET = "runs in Argo Events; this version of Tiphys does not run it yet"
MIXED = "event sources with rolling update and recreate update strategy can not be put together"
# Types whose `filter` is not an expression.
_OTHER_FILTERS = frozenset({"minio", "resource", "storageGrid", "stripe"})
_LEADING_OPTION = re.compile(r"`([A-Za-z][A-Za-z0-9.]*)`")
_SUBJECT_TOKEN = re.compile(r"[^.\s*>]+")


def check(scope: Scope, spec: EventSourceSpec) -> None:
    """Report what is wrong with the body of an EventSource."""
    known = {*EVENT_TYPES, *scope.components.source_keys()}
    types = {key: value for key, value in (spec.model_extra or {}).items() if key in known}
    _check_endpoints(scope, types)
    places: dict[str, str] = {}
    for key, events in types.items():
        _check_type(scope.at(key), key, {} if events is None else events, places)
    _check_mix(scope, [key for key, events in types.items() if events])
    if not types:
        scope.warn("event-source", "this EventSource has no events")


def _check_type(scope: Scope, key: str, events: Any, places: dict[str, str]) -> None:
    """One event type; *places* has the type of each event name that was seen."""
    if not isinstance(events, dict):
        scope.refuse(f"`{key}` must be a mapping of event names to their options", rule="type")
        return
    if key not in scope.components.source_keys():
        scope.note("not-run-here", f"`{key}` {NOT_YET}")
    if not events:
        scope.warn("event-source", f"`{key}` has no events")
    for name, block in events.items():
        at = scope.at(name)
        if name in places:
            message = f'more than one "{name}" found in the spec'
            at.refuse(message, hint=f"`{places[name]}` has it too")
        places.setdefault(name, key)
        if not _SUBJECT_TOKEN.fullmatch(name):
            at.broken("name", f"the event name `{name}` holds `.`, `*`, `>` or blanks")
        _check_event(at, key, {} if block is None else block)


def _check_endpoints(scope: Scope, types: dict[str, Any]) -> None:
    """An endpoint belongs to the first event that has it."""
    owners: dict[tuple[str, str], str] = {}
    for key, events in types.items():
        for name, block in events.items() if isinstance(events, dict) else ():
            context = block.get("webhook", block) if isinstance(block, dict) else None
            if not isinstance(context, dict) or not isinstance(context.get("endpoint"), str):
                continue
            place = str(context.get("port")).strip(), context["endpoint"]
            if place in owners:
                message = f"the endpoint {place[1]} on port {place[0]} belongs to {owners[place]}"
                scope.at(key, name).broken("duplicate", message)
            owners.setdefault(place, f"`{key}.{name}`")


def _check_event(scope: Scope, key: str, block: Any) -> None:
    if not isinstance(block, dict):
        scope.refuse("the options of an event must be a mapping", rule="type")
        return
    if key not in scope.components.source_keys():
        if key not in _OTHER_FILTERS:
            _check_filter(scope, block.get("filter"))
        return
    try:
        model = scope.components.source_model(key)
    except MissingExtraError as error:
        scope.warn("missing-extra", f"cannot be checked: {error}")
        return
    fitted = fit(model, block)
    for found in fitted.mismatches:
        scope.at(*found.path).refuse(found.message, rule="type", hint=found.hint)
    unknown_keys.check(scope, model, block)
    if fitted.model is None:
        return
    if isinstance(fitted.model.filter, Filter):
        expressions.check_source_filter(scope.at("filter", "expression"), fitted.model.filter)
    if not fitted.mismatches:
        for message in scope.components.check_source(key, fitted.model):
            _field(scope, model, message).refuse(message)
        for message in fitted.model.flaws():
            _field(scope, model, message).broken("event-source", message)
        for message in fitted.model.doubts():
            _field(scope, model, message).warn("event-source", message)
        endpoints.check(scope, fitted.model)


def _field(scope: Scope, model: type[SourceConfig], message: str) -> Scope:
    """The place of the option that *message* begins with, in backticks; else that of the event."""
    if (named := _LEADING_OPTION.match(message)) is None:
        return scope
    steps = named[1].split(".")
    if steps[0] in _keys(model):
        return scope.at(*steps)
    if "webhook" in model.model_fields and steps[0] in _keys(WebhookContext):
        return scope.at("webhook", *steps)
    return scope


def _keys(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _check_filter(scope: Scope, data: Any) -> None:
    """The filter of a type that has no model here."""
    if isinstance(data, dict) and (fitted := fit(Filter, data).model) is not None:
        expressions.check_source_filter(scope.at("filter", "expression"), fitted)


def _check_mix(scope: Scope, keys: list[str]) -> None:
    classes = {key: replicas for key in keys if (replicas := _replicas(scope, key)) is not None}
    if len(set(classes.values())) > 1:
        many = ", ".join(f"`{key}`" for key, replicas in classes.items() if replicas == "many")
        one = ", ".join(f"`{key}`" for key, replicas in classes.items() if replicas == "one")
        scope.refuse(MIXED, hint=f"put {many} and {one} into EventSources of their own")


def _replicas(scope: Scope, key: str) -> Replicas | None:
    if key in EVENT_TYPES:
        return EVENT_TYPES[key]
    try:
        return scope.components.source_replicas(key)
    except MissingExtraError:
        return None
