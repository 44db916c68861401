"""The client against servers that are slow, busy, strange or particular about certificates."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from yarl import URL

from tests.integration.kube._contract import KubernetesContract, config_map, pod
from tiphys.errors import (
    AlreadyExists,
    ClusterUnavailable,
    Forbidden,
    KubernetesError,
    NotFound,
    TooManyRequests,
    UpdateConflict,
)
from tiphys.kube import (
    CONFIG_MAPS,
    PODS,
    SECRETS,
    Client,
    Cluster,
    Lease,
    Leases,
    config_map_values,
    find_cluster,
    secret_values,
)
from tiphys.kube._credentials import FixedCredentials, TokenFile
from tiphys.testing.kubernetes import APIServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Cluster]:
    """A server that answers every request with *handler*."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Cluster(URL(site.name).with_port(runner.addresses[0][1]))
    finally:
        await runner.cleanup()


def answering(*answers: web.Response) -> tuple[Handler, list[web.Request]]:
    """A handler that gives one answer after the other, and the requests it got."""
    requests: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        requests.append(request)
        return answers[len(requests) - 1]

    return handle, requests


def refusal(status: int, reason: str, **headers: str) -> web.Response:
    body = {"kind": "Status", "reason": reason, "message": "no", "code": status}
    return web.json_response(body, status=status, headers=headers)


def found() -> web.Response:
    return web.json_response({**config_map("a"), "data": {"x": "1"}})


class TestRequests:
    async def test_a_busy_server_is_asked_again_when_it_says_so(self) -> None:
        later = {"Retry-After": "0"}
        handler, requests = answering(
            refusal(429, "TooManyRequests", **later), refusal(503, "", **later), found()
        )
        async with serving(handler) as cluster, Client(cluster) as client:
            assert (await client.get(CONFIG_MAPS, "a"))["data"] == {"x": "1"}

        assert len(requests) == 3

    async def test_a_server_that_stays_busy_is_given_up(self) -> None:
        answers = [refusal(429, "TooManyRequests", **{"Retry-After": "0"}) for _ in range(4)]
        handler, requests = answering(*answers)
        async with serving(handler) as cluster, Client(cluster) as client:
            with pytest.raises(TooManyRequests) as refused:
                await client.get(CONFIG_MAPS, "a")

        assert len(requests) == 4
        assert refused.value.retry_after == 0

    async def test_nobody_waits_for_minutes(self) -> None:
        handler, requests = answering(refusal(429, "TooManyRequests", **{"Retry-After": "600"}))
        async with serving(handler) as cluster, Client(cluster) as client:
            with pytest.raises(TooManyRequests):
                await client.get(CONFIG_MAPS, "a")

        assert len(requests) == 1

    async def test_a_renewed_token_is_sent_after_a_refusal(self, tmp_path: Path) -> None:
        token = tmp_path / "token"
        token.write_text("old")

        async def handle(request: web.Request) -> web.Response:
            if request.headers["Authorization"] == "Bearer new":
                return found()
            token.write_text("new")
            return refusal(401, "Unauthorized")

        async with serving(handle) as cluster:
            cluster = dataclasses.replace(cluster, credentials=TokenFile(token))
            async with Client(cluster) as client:
                assert await client.get(CONFIG_MAPS, "a")

    async def test_a_refused_identity_is_tried_twice(self) -> None:
        handler, requests = answering(*(refusal(401, "Unauthorized") for _ in range(2)))
        async with serving(handler) as cluster, Client(cluster) as client:
            with pytest.raises(KubernetesError) as refused:
                await client.get(CONFIG_MAPS, "a")

        assert (refused.value.status, len(requests)) == (401, 2)

    async def test_redirections_are_not_followed(self) -> None:
        handler, requests = answering(web.Response(status=302, headers={"Location": "/x"}))
        async with serving(handler) as cluster, Client(cluster) as client:
            with pytest.raises(KubernetesError, match="HTTP status 302"):
                await client.get(CONFIG_MAPS, "a")

        assert len(requests) == 1

    async def test_a_prefix_of_the_server_is_kept(self) -> None:
        handler, requests = answering(found())
        async with serving(handler) as cluster:
            prefixed = dataclasses.replace(cluster, server=cluster.server / "k8s" / "c-1")
            async with Client(prefixed) as client:
                await client.get(CONFIG_MAPS, "a", "n")

        assert requests[0].path == "/k8s/c-1/api/v1/namespaces/n/configmaps/a"

    async def test_a_warning_is_logged_once(self) -> None:
        warned = {"Warning": '299 - "unknown field \\"spec.colour\\""'}
        answers = [web.json_response(config_map("a"), headers=warned) for _ in range(2)]
        handler, _ = answering(*answers)
        async with serving(handler) as cluster, Client(cluster) as client:
            with structlog.testing.capture_logs() as lines:
                await client.create(CONFIG_MAPS, config_map("a"))
                await client.create(CONFIG_MAPS, config_map("a"))

        assert [line["warning"] for line in lines] == ['unknown field "spec.colour"']

    async def test_an_answer_that_is_cut_is_no_answer(self) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "100"})
            await response.prepare(request)
            await response.write(b"{")
            assert request.transport is not None
            request.transport.abort()
            return response

        async with serving(handle) as cluster, Client(cluster) as client:
            with pytest.raises(ClusterUnavailable, match="no answer from"):
                await client.get(CONFIG_MAPS, "a")

    async def test_a_request_can_be_cancelled(self) -> None:
        arrived = asyncio.Event()

        async def handle(request: web.Request) -> web.Response:
            arrived.set()
            await asyncio.Event().wait()
            return found()

        async with serving(handle) as cluster, Client(cluster) as client:
            asking = asyncio.create_task(client.get(CONFIG_MAPS, "a"))
            await arrived.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking


class TestCertificates:
    @pytest.fixture
    async def server(self) -> AsyncIterator[APIServer]:
        async with APIServer(tls=True) as server:
            yield server

    async def test_the_servers_certificate_is_checked(self, server: APIServer) -> None:
        unknown = dataclasses.replace(server.cluster(), tls=ssl.create_default_context())

        async with Client(unknown) as client:
            with pytest.raises(ClusterUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await client.version()

    async def test_the_check_can_be_left_out(self, server: APIServer, tmp_path: Path) -> None:
        document = server.kubeconfig_document()
        document["clusters"][0]["cluster"] = {
            "server": str(server.url), "insecure-skip-tls-verify": True,
        }  # fmt: skip

        async with Client(read(document, tmp_path)) as client:
            assert await client.version()

    async def test_the_certificate_may_have_another_name(
        self, server: APIServer, tmp_path: Path
    ) -> None:
        document = server.kubeconfig_document()
        document["clusters"][0]["cluster"]["tls-server-name"] = "kubernetes.default.svc"
        async with Client(read(document, tmp_path)) as client:
            assert await client.version()

        document["clusters"][0]["cluster"]["tls-server-name"] = "another.example"
        async with Client(read(document, tmp_path)) as client:
            with pytest.raises(ClusterUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await client.version()

    async def test_a_file_may_hold_the_authority(self, server: APIServer, tmp_path: Path) -> None:
        document = server.kubeconfig_document()
        cluster = document["clusters"][0]["cluster"]
        data = base64.b64decode(cluster.pop("certificate-authority-data"))
        (tmp_path / "ca.crt").write_bytes(data)
        cluster["certificate-authority"] = "ca.crt"

        async with Client(read(document, tmp_path)) as client:
            assert await client.version()

    async def test_a_certificate_says_who_we_are(self, server: APIServer, tmp_path: Path) -> None:
        document = server.kubeconfig_document()
        document["users"][0]["user"] = server.certificate("bob", groups=["system:masters"])
        async with Client(read(document, tmp_path)) as client:
            assert await client.list(SECRETS)

        document["users"][0]["user"] = server.certificate("bob")
        async with Client(read(document, tmp_path)) as client:
            with pytest.raises(Forbidden, match='User "bob" cannot list'):
                await client.list(SECRETS)

    async def test_a_plugin_may_give_a_certificate(self, server: APIServer, tmp_path: Path) -> None:
        pair = server.certificate("bob", groups=["system:masters"])
        texts = {key: base64.b64decode(value).decode() for key, value in pair.items()}
        answer = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": {
                "clientCertificateData": texts["client-certificate-data"],
                "clientKeyData": texts["client-key-data"],
            },
        }
        (tmp_path / "answer.json").write_text(json.dumps(answer))
        document = server.kubeconfig_document()
        document["users"][0]["user"] = {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": "cat",
                "args": [str(tmp_path / "answer.json")],
                "interactiveMode": "Never",
            }
        }

        async with Client(read(document, tmp_path)) as client:
            assert await client.list(SECRETS)


def read(document: dict[str, Any], tmp_path: Path) -> Cluster:
    path = tmp_path / "config"
    path.write_text(json.dumps(document))
    return find_cluster(path)


class TestHelpers(KubernetesContract):
    async def test_the_values_of_secrets_and_config_maps_are_bytes(
        self, client: Client, namespace: str
    ) -> None:
        secret = {
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"},
            "data": {"x": base64.b64encode(b"\x00\xff").decode()},
        }  # fmt: skip
        await client.create(SECRETS, secret, namespace)
        binary = {"binaryData": {"b": base64.b64encode(b"\xfe").decode()}}
        await client.create(CONFIG_MAPS, {**config_map("c", t="ü"), **binary}, namespace)

        assert await secret_values(client, namespace, "s") == {"x": b"\x00\xff"}
        assert await config_map_values(client, namespace, "c") == {"t": "ü".encode(), "b": b"\xfe"}
        with pytest.raises(NotFound):
            await secret_values(client, namespace, "nothing")

    async def test_a_lease_is_created_once_and_renewed_by_its_reader(
        self, client: Client, namespace: str
    ) -> None:
        leases = Leases(client, namespace)
        assert await leases.get("l") is None
        now = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

        made = await leases.create("l", Lease("one", 15, now, now))
        with pytest.raises(AlreadyExists):
            await leases.create("l", Lease("two", 15))

        read = await leases.get("l")
        assert read == made
        assert read is not None
        assert (read.holder, read.seconds, read.renewed, read.transitions) == ("one", 15, now, 0)
        taken = await leases.update(dataclasses.replace(read, holder="two", transitions=1))
        assert (taken.holder, taken.acquired) == ("two", now)
        with pytest.raises(UpdateConflict):
            await leases.update(dataclasses.replace(made, holder="one"))

    async def test_a_lease_can_be_given_back(self, client: Client, namespace: str) -> None:
        leases = Leases(client, namespace)
        made = await leases.create("l", Lease("one", 15))

        given_back = await leases.update(dataclasses.replace(made, holder=""))

        assert given_back.holder == ""


class TestDouble:
    async def test_the_logs_of_a_container_can_be_set(self) -> None:
        async with APIServer() as server, server.client() as client:
            body = pod("p")
            body["spec"]["containers"].append({"name": "side", "image": "b"})
            await client.create(PODS, body)
            server.set_logs("default", "p", "main", "a\nb\nc\n")

            assert await client.logs("p", container="main", lines=2) == "b\nc\n"
            assert await client.logs("p", container="side") == ""
            with pytest.raises(KubernetesError, match="a container name must be specified for pod"):
                await client.logs("p")
            with pytest.raises(KubernetesError, match="container other is not valid for pod p"):
                await client.logs("p", container="other")
            with pytest.raises(NotFound):
                await client.logs("q")

    async def test_without_tls_nobody_is_an_administrator_and_somebody_is_not(self) -> None:
        async with APIServer() as server:
            async with Client(Cluster(server.url)) as nobody:
                assert await nobody.list(SECRETS)
            unknown = FixedCredentials.token("unknown")
            async with Client(Cluster(server.url, unknown)) as somebody:
                with pytest.raises(KubernetesError) as refused:
                    await somebody.list(SECRETS)
        assert refused.value.status == 401

    async def test_objects_survive_a_restart(self) -> None:
        async with APIServer() as server:
            async with server.client() as client:
                made = await client.create(CONFIG_MAPS, config_map("a"))
            await server.close()
            await server.start()
            async with server.client() as client:
                assert await client.get(CONFIG_MAPS, "a") == made

    async def test_the_kinds_of_argo_are_there(self) -> None:
        async with APIServer() as server, server.client() as client:
            kinds = {
                r.kind: r.namespaced
                for r in await client.discovery.resources("argoproj.io/v1alpha1")
            }
        assert kinds == {
            "EventBus": True,
            "EventSource": True,
            "Sensor": True,
            "Workflow": True,
            "WorkflowTemplate": True,
            "ClusterWorkflowTemplate": False,
            "CronWorkflow": True,
        }

    async def test_requests_are_noted(self) -> None:
        async with APIServer() as server, server.client() as client:
            await client.list(CONFIG_MAPS, "default", labels="a=b")

        assert server.requests == [
            ("GET", "/api/v1/namespaces/default/configmaps?labelSelector=a%3Db&limit=500")
        ]
