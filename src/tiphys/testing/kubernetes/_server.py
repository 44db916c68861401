"""A Kubernetes API server in this process, for tests."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import orjson
from aiohttp import web
from yarl import URL

from tiphys.kube import Client, Cluster, find_cluster
from tiphys.testing.kubernetes._access import (
    ADMIN,
    ANONYMOUS,
    AUTHENTICATED,
    Access,
    Identities,
    service_account,
)
from tiphys.testing.kubernetes._answers import ApiError
from tiphys.testing.kubernetes._bootstrap import bootstrap
from tiphys.testing.kubernetes._certificates import Authority, user_of
from tiphys.testing.kubernetes._collector import Collector
from tiphys.testing.kubernetes._definitions import DEFINITIONS, Definitions, definition_problems
from tiphys.testing.kubernetes._handlers import Answer, Handlers
from tiphys.testing.kubernetes._kinds import Kinds
from tiphys.testing.kubernetes._registry import Registry
from tiphys.testing.kubernetes._requests import Request, User
from tiphys.testing.kubernetes._reviews import Logs
from tiphys.testing.kubernetes._store import Store

BODY = 3 * 1024 * 1024  # bytes, as in the real one


class APIServer:
    """
    An API server on the loopback: ``async with APIServer() as server``.

    It behaves like Kubernetes 1.36 in what clients of Tiphys' kind can see, with the garbage
    collector and the namespace controller, and without anything that would run a pod: a
    Deployment stays a Deployment.  Without *tls* a request without credentials is an
    administrator's; with *tls* it is anonymous, as in a cluster.  *argo* installs the definitions
    of Argo Events and Argo Workflows.
    """

    def __init__(self, *, tls: bool = False, argo: bool = True, port: int = 0) -> None:
        self._authority = Authority() if tls else None
        self._argo = argo
        self._port = port
        self._store = Store()
        self._kinds = Kinds()
        self._registry = Registry(self._store, self._kinds)
        self._identities = Identities()
        self._access = Access(self._store)
        self._logs = Logs()
        self._streams: set[asyncio.Transport] = set()
        self._runner: web.AppRunner | None = None
        self._admin_token = self._identities.issue(ADMIN)
        self.bookmark_pause = 60.0
        """Seconds between the bookmarks of a quiet watch."""
        self.requests: list[tuple[str, str]] = []
        """Method and path of every request, with its query."""

    async def __aenter__(self) -> Self:
        """Listen."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.close()

    @property
    def url(self) -> URL:
        """Where it listens."""
        scheme = "http" if self._authority is None else "https"
        return URL.build(scheme=scheme, host="127.0.0.1", port=self._port)

    async def start(self) -> None:
        """Listen; objects of an earlier run of this server are still there."""
        fresh = self._store.get("/namespaces", ("", "default")) is None
        if fresh:
            self._definitions = Definitions(self._registry, self._kinds)
            kind = self._kinds.find("apiextensions.k8s.io", "v1", "customresourcedefinitions")
            assert kind is not None and kind.key == DEFINITIONS
            kind.check = definition_problems
        authority = "" if self._authority is None else self._authority.pem
        self._collector = Collector(self._registry, self._store, self._kinds, authority)
        application = web.Application(client_max_size=BODY)
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(
            application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        context = None if self._authority is None else self._authority.server()
        self._handlers = Handlers(
            self._store, self._kinds, self._registry, self._access, self._identities,
            self._logs, f"127.0.0.1:{self._port}",
        )  # fmt: skip
        if fresh:
            bootstrap(self._registry, self._kinds, argo=self._argo)
            self._definitions.ready = True
            self._collector.run()
        await web.SockSite(self._runner, listener, ssl_context=context).start()

    async def close(self) -> None:
        """Stop listening; every connection is cut.  It can be started again."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self._collector.close()
            self._definitions.close()
            self.disconnect()
            await runner.cleanup()

    def cluster(self, user: str | None = None, *, groups: Sequence[str] = ()) -> Cluster:
        """How to reach it as an administrator, or as *user* who may do what roles say."""
        return find_cluster_of(self.kubeconfig_document(user, groups=groups))

    def client(self, user: str | None = None, *, groups: Sequence[str] = ()) -> Client:
        """A client of it; to be closed."""
        return Client(self.cluster(user, groups=groups))

    def kubeconfig(
        self, path: Path, user: str | None = None, *, groups: Sequence[str] = ()
    ) -> Path:
        """Write a kubeconfig file to *path*."""
        path.write_text(json.dumps(self.kubeconfig_document(user, groups=groups), indent=2))
        return path

    def kubeconfig_document(
        self, user: str | None = None, *, groups: Sequence[str] = ()
    ) -> dict[str, Any]:
        """A kubeconfig for an administrator, or for *user*."""
        token = self._admin_token if user is None else self.token(user, groups=groups)
        cluster: dict[str, Any] = {"server": str(self.url).rstrip("/")}
        if self._authority is not None:
            cluster["certificate-authority-data"] = _base64(self._authority.pem)
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "testing", "cluster": cluster}],
            "users": [{"name": "testing", "user": {"token": token}}],
            "contexts": [{"name": "testing", "context": {"cluster": "testing", "user": "testing"}}],
            "current-context": "testing",
        }

    def certificate(self, user: str, *, groups: Sequence[str] = ()) -> dict[str, str]:
        """The entries of a kubeconfig user with a certificate for *user*; only with *tls*."""
        assert self._authority is not None, "the server has no TLS"
        certificate, key = self._authority.issue(user, groups)
        return {
            "client-certificate-data": _base64(certificate),
            "client-key-data": _base64(key),
        }

    def token(self, user: str, *, groups: Sequence[str] = ()) -> str:
        """A bearer token for *user*; ``system:serviceaccount:NAMESPACE:NAME`` is one, too."""
        if user.startswith("system:serviceaccount:"):
            namespace, _, name = user.removeprefix("system:serviceaccount:").partition(":")
            return self._identities.issue(service_account(namespace, name))
        return self._identities.issue(User(user, (*groups, AUTHENTICATED)))

    def revoke(self, token: str) -> None:
        """Answer 401 to *token* from now on."""
        self._identities.revoke(token)

    def compact(self) -> None:
        """Forget the past: watches and pages from before are told that they are too old."""
        self._store.compact()

    def disconnect(self) -> None:
        """Cut every watch that is open."""
        for transport in list(self._streams):
            transport.abort()

    def deny(self, verb: str, plural: str, message: str = "admission denied the request") -> None:
        """Refuse *verb* on *plural* with a 403 that is not one of authorization."""
        self._handlers.refusals[verb, plural] = message

    def allow(self) -> None:
        """Take back every :meth:`deny`."""
        self._handlers.refusals.clear()

    def set_logs(self, namespace: str, pod: str, container: str, text: str) -> None:
        """Let a container have printed *text*."""
        self._logs.set(namespace, pod, container, text)

    async def _serve(self, http: web.Request) -> web.StreamResponse:
        self.requests.append((http.method, http.path_qs))
        try:
            user = self._user(http)
            request = Request(
                method=http.method, path=http.path, query=dict(http.query), user=user,
                agent=http.headers.get("User-Agent", ""), body=await _body(http),
                content_type=http.headers.get("Content-Type", ""),
                accept=http.headers.get("Accept", ""),
            )  # fmt: skip
            answer = self._handlers.answer(request, self.bookmark_pause)
        except ApiError as error:
            return _failed(error)
        if answer.stream is not None:
            return await self._stream(http, answer)
        warnings = [f'299 - "{_escaped(text)}"' for text in request.warnings]
        return _response(answer, warnings)

    def _user(self, http: web.Request) -> User:
        """Who asks: by certificate, else by token.  Raises a 401 for an unknown token."""
        if http.transport is not None:
            named = user_of(http.transport.get_extra_info("peercert"))
            if named is not None:
                return named
        nobody = ADMIN if self._authority is None else ANONYMOUS
        return self._identities.user(http.headers.get("Authorization", ""), nobody)

    async def _stream(self, http: web.Request, answer: Answer) -> web.StreamResponse:
        assert answer.stream is not None
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        await response.prepare(http)
        transport = http.transport
        assert transport is not None
        self._streams.add(transport)
        try:
            async for event in answer.stream.events():
                shown = event if answer.convert is None else answer.convert(event)
                await response.write(orjson.dumps(shown) + b"\n")
            await response.write_eof()
        except ConnectionResetError:
            pass  # nobody listens any more
        finally:
            self._streams.discard(transport)
        return response


def find_cluster_of(document: Mapping[str, Any]) -> Cluster:
    """The cluster of a kubeconfig that is no file."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(json.dumps(document))
        file.flush()
        return find_cluster(Path(file.name))


async def _body(http: web.Request) -> bytes:
    """Raises a 413 for what is too large."""
    try:
        return await http.read()
    except web.HTTPRequestEntityTooLarge as error:
        message = f"Request entity too large: limit is {BODY}"
        raise ApiError(413, "RequestEntityTooLarge", message) from error


def _response(answer: Answer, warnings: Sequence[str]) -> web.Response:
    if answer.text is not None:
        return web.Response(status=answer.status, text=answer.text, content_type="text/plain")
    response = web.Response(status=answer.status, body=orjson.dumps(answer.body))
    response.headers["Content-Type"] = answer.content_type
    for warning in warnings:
        response.headers.add("Warning", warning)
    return response


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _failed(error: ApiError) -> web.Response:
    seconds = (error.status.get("details") or {}).get("retryAfterSeconds")
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    body = orjson.dumps(error.status)
    return web.Response(
        status=error.code, body=body, headers=headers, content_type="application/json"
    )
