"""Requests to answers: authorization, then what the path is about."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from tiphys.languages import EvaluationError, yaml_json
from tiphys.testing.kubernetes import _openapi, _reviews
from tiphys.testing.kubernetes._access import Access, Identities
from tiphys.testing.kubernetes._answers import (
    ApiError,
    bad_request,
    forbidden,
    method_not_allowed,
    no_resource,
    option_error,
    unsupported_media,
)
from tiphys.testing.kubernetes._catalog import REVIEWS, VERSION, Catalog
from tiphys.testing.kubernetes._kinds import Kind, Kinds
from tiphys.testing.kubernetes._lifecycle import JOBS
from tiphys.testing.kubernetes._lists import listed
from tiphys.testing.kubernetes._problems import Problem
from tiphys.testing.kubernetes._protobuf import CONTENT_TYPE, decode_protobuf
from tiphys.testing.kubernetes._registry import Registry
from tiphys.testing.kubernetes._requests import Request
from tiphys.testing.kubernetes._store import Object, Store
from tiphys.testing.kubernetes._tables import table
from tiphys.testing.kubernetes._watches import WatchStream

READABLE = ("application/json", "application/yaml", CONTENT_TYPE)
ACCEPTABLE = {"", "*/*", "application/*", "application/json"}
ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background "
    "to remove them or set propagationPolicy=Orphan to suppress this warning"
)
HEALTH = ("/healthz", "/livez", "/readyz")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: an object, a text, or a stream of events."""

    status: int = 200
    body: Object | None = None
    text: str | None = None
    stream: WatchStream | None = None
    convert: Callable[[Object], Object] | None = None
    content_type: str = "application/json"


class Handlers:
    """Answers requests of users who are known."""

    def __init__(
        self,
        store: Store,
        kinds: Kinds,
        registry: Registry,
        access: Access,
        identities: Identities,
        logs: _reviews.Logs,
        address: str,
    ) -> None:
        self._bookmark_pause = 60.0
        self.refusals: dict[tuple[str, str], str] = {}
        """What is refused whoever asks, by verb and plural, and what is said then."""
        self._store = store
        self._kinds = kinds
        self._registry = registry
        self._access = access
        self._identities = identities
        self._logs = logs
        self._catalog = Catalog(kinds)
        self._address = address

    def answer(self, request: Request, bookmark_pause: float) -> Answer:
        """
        The answer to *request*.  Raises :exc:`ApiError`.

        *bookmark_pause* is in seconds, between the bookmarks of a quiet watch.
        """
        self._bookmark_pause = bookmark_pause
        request.find()
        self._access.check(request)
        _check_accept(request)
        if not request.resource:
            return self._path(request)
        if any((g, p) == (request.group, request.plural) for g, p, _ in REVIEWS):
            return self._review(request)
        kind = self._kinds.find(request.group, request.version, request.plural)
        if kind is not None and (said := self.refusals.get((request.verb, request.plural))):
            raise forbidden(kind, request.name, said)
        if kind is None:
            if request.group not in ["", *self._catalog.groups()]:
                return Answer(404, text="404 page not found\n")
            raise no_resource()
        if not kind.namespaced:
            request.namespace = ""
        if request.subresource:
            return self._subresource(request, kind)
        return self._resource(request, kind)

    def _resource(self, request: Request, kind: Kind) -> Answer:
        key = (request.namespace, request.name)
        if request.verb not in kind.verbs or (request.verb == "create" and request.name):
            raise method_not_allowed()
        if request.verb == "get":
            return self._shown(request, kind, self._registry.get(kind, key))
        if request.watching and request.method == "GET":
            return self._watch(request, kind)
        if request.verb == "list":
            return self._list(request, kind)
        if request.verb == "delete":
            answer, _ = self._registry.delete(request, kind, _delete_options(request, kind))
            return Answer(body=answer)
        if request.verb == "deletecollection":
            return self._delete_all(request, kind)
        if kind.namespaced and not request.namespace:
            raise method_not_allowed()
        return self._written(request, kind)

    def _written(self, request: Request, kind: Kind) -> Answer:
        request.check_options()
        body = read_body(request)
        if request.verb == "create":
            return self._shown(request, kind, self._registry.create(request, kind, body), 201)
        existed = self._store.get(kind.key, (request.namespace, request.name)) is not None
        write = self._registry.update if request.verb == "update" else self._registry.patch
        return self._shown(request, kind, write(request, kind, body), 200 if existed else 201)

    def _subresource(self, request: Request, kind: Kind) -> Answer:
        if request.subresource not in kind.subresources:
            raise no_resource()
        key = (request.namespace, request.name)
        if request.subresource == "log":
            if request.verb != "get":
                raise method_not_allowed()
            pod = self._registry.get(kind, key)
            return Answer(text=self._logs.read(request, pod))
        if request.subresource == "token":
            if request.verb != "create":
                raise method_not_allowed()
            body = read_body(request)
            token = _reviews.token_request(request, kind, body, self._store, self._identities)
            return Answer(201, token)
        if request.verb == "get":
            return self._shown(request, kind, self._registry.get(kind, key))
        if request.verb not in ("update", "patch"):
            raise method_not_allowed()
        return self._written(request, kind)

    def _delete_all(self, request: Request, kind: Kind) -> Answer:
        options = _delete_options(request, kind)
        page = listed(request, kind, self._store)
        for item in page["items"]:
            one = dataclasses.replace(request, name=item["metadata"]["name"],
                                      namespace=item["metadata"].get("namespace", ""))  # fmt: skip
            self._registry.delete(one, kind, options)
        return Answer(body=page)

    def _list(self, request: Request, kind: Kind) -> Answer:
        page = listed(request, kind, self._store)
        include = _table_wanted(request)
        if include is None:
            return Answer(body=page)
        for item in page["items"]:
            item["kind"], item["apiVersion"] = kind.kind, kind.api_version
        return Answer(body=table(kind, page["items"], page["metadata"], include))

    def _watch(self, request: Request, kind: Kind) -> Answer:
        stream = WatchStream(request, kind, self._store, self._bookmark_pause)
        include = _table_wanted(request)
        if include is None:
            return Answer(stream=stream)

        def convert(event: Object) -> Object:
            if event["type"] == "ERROR":
                return event
            obj = event["object"]
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            rows = [] if event["type"] == "BOOKMARK" else [obj]
            return {**event, "object": table(kind, rows, metadata, include)}

        return Answer(stream=stream, convert=convert)

    def _shown(self, request: Request, kind: Kind, obj: Object, status: int = 200) -> Answer:
        include = _table_wanted(request) if request.verb == "get" else None
        if include is None:
            return Answer(status, obj)
        version = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        return Answer(status, table(kind, [obj], version, include))

    def _review(self, request: Request) -> Answer:
        if request.verb != "create":
            raise method_not_allowed()
        body = read_body(request)
        if request.plural == "selfsubjectreviews":
            return Answer(201, _reviews.self_review(request, body))
        return Answer(201, _reviews.access_review(request, body, self._access))

    def _path(self, request: Request) -> Answer:
        if request.method != "GET":
            raise method_not_allowed()
        path = request.path.rstrip("/")
        if path in HEALTH:
            return Answer(text="ok")
        if path == "/version":
            return Answer(body=VERSION)
        if path in ("/api", "/apis"):
            return self._root(request, path == "/api")
        if path.startswith("/openapi/v3"):
            name = path.removeprefix("/openapi/v3").strip("/")
            found = _openapi.document(self._kinds, name) if name else _openapi.index(self._kinds)
            return Answer(body=found) if found else Answer(404, text="404 page not found\n")
        group, _, version = path.removeprefix("/apis/").removeprefix("/api/").rpartition("/")
        if path.startswith("/api/"):
            group = ""
        elif not group:
            group, version = version, ""
        known = group in ["", *self._catalog.groups()]
        if known and not version:
            return Answer(body=self._catalog.group(group))
        if known and self._catalog.offers(group, version):
            return Answer(body=self._catalog.resources(group, version))
        return Answer(404, text="404 page not found\n")

    def _root(self, request: Request, core: bool) -> Answer:
        for option in request.accept.split(","):
            parameters = _parameters(option)
            if parameters.get("as") == "APIGroupDiscoveryList" and parameters.get("v") == "v2":
                mime = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
                return Answer(body=self._catalog.aggregated(core, "v2"), content_type=mime)
            if not parameters:
                break
        body = self._catalog.core(self._address) if core else self._catalog.group_list()
        return Answer(body=body)


def read_body(request: Request) -> Any:
    """The body as JSON.  Raises a 400 or 415."""
    content_type = request.content_type.partition(";")[0].strip()
    if content_type.endswith("yaml"):
        try:
            return json.loads(yaml_json.convert(request.body))
        except (EvaluationError, ValueError) as error:
            raise bad_request(f"error decoding YAML: {error}") from error
    if content_type == CONTENT_TYPE:
        return decode_protobuf(request.body)
    if content_type and not content_type.endswith("json"):
        raise unsupported_media(READABLE)
    try:
        return orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error


def _check_accept(request: Request) -> None:
    """Raise a 406 if no representation is accepted; texts are not asked for."""
    wanted = [option.partition(";")[0].strip() for option in request.accept.split(",")]
    if request.resource and not request.subresource and not ACCEPTABLE & set(wanted):
        message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(READABLE[:1])}"
        raise ApiError(406, "NotAcceptable", message, {})


def _delete_options(request: Request, kind: Kind) -> Object:
    """The options of a deletion, of which a Job gets a warning where they say too little."""
    body = read_body(request) if request.body else {}
    options: Object = dict(body) if isinstance(body, dict) else {}
    for name in ("propagationPolicy", "gracePeriodSeconds"):
        if (value := request.query.get(name)) is not None:
            options.setdefault(name, int(value) if name == "gracePeriodSeconds" else value)
    policy = options.get("propagationPolicy")
    if policy not in (None, "", "Background", "Foreground", "Orphan"):
        allowed = ("Foreground", "Background", "Orphan", "nil")
        problem = Problem.unsupported("propagationPolicy", policy, allowed)
        raise option_error("DeleteOptions", problem)
    if kind.key == JOBS and not policy:
        request.warnings.append(ORPHANS)
    return options


def _table_wanted(request: Request) -> str | None:
    """What a table is to include for each object; None where no table is wanted."""
    for option in request.accept.split(","):
        parameters = _parameters(option)
        if parameters.get("as") == "Table" and parameters.get("v") == "v1":
            return request.query.get("includeObject") or "Metadata"
        if not parameters:
            break
    return None


def _parameters(option: str) -> Mapping[str, str]:
    pairs = (part.strip().partition("=") for part in option.split(";")[1:])
    return {name: value for name, _, value in pairs if name != "q"}
