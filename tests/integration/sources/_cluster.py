"""The double of a Kubernetes API as the service of event sources."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests._ports import free_port
from tests.integration._pausing_api_server import PausingAPIServer
from tiphys.aio import stop
from tiphys.errors import NotFound
from tiphys.kube import CONFIG_MAPS, Client, Patch, Resource
from tiphys.sources._shared import kubernetes
from tiphys.testing.bus import MemoryBus
from tiphys.testing.remote_sources import WRONG, RemoteService, RemoteSourceContract
from tiphys.testing.sources import QUIET, data_of, pull_service, started_bus

NAMESPACE = "default"
WORKFLOWS = Resource("argoproj.io", "v1alpha1", "workflows", "Workflow")


class ClusterService(RemoteService):
    """An API server with what *resource* is in it."""

    resource: Resource

    def __init__(
        self, server: PausingAPIServer, client: Client, kubeconfig: Path, options: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.server = server
        self.client = client
        self.kubeconfig = kubeconfig
        self.options = dict(options)
        self._watches = 0

    def unreachable_block(self) -> dict[str, Any]:
        """What is wrong is in the kubeconfig file, and no part of a block."""
        return {"cluster": {"server": f"http://127.0.0.1:{free_port()}"}}

    def refused_block(self) -> dict[str, Any]:
        return {"user": {"token": WRONG}}

    async def connected(self) -> None:
        """Return when a watch is open that was not when this was asked for last."""
        async with asyncio.timeout(10):
            while self.watches() <= self._watches:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)  # the answer has only begun
        self._watches = self.watches()

    async def stop(self) -> None:
        await self.server.close()

    async def start(self) -> None:
        await self.server.start()

    async def pause(self) -> None:
        self.server.pause()

    async def resume(self) -> None:
        self.server.resume()

    def watches(self) -> int:
        """How many watches of the resource there have been."""
        return sum(
            f"/{self.resource.plural}?" in path and "watch=true" in path
            for _, path in self.server.requests
        )

    async def patch(self, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self.client.patch(self.resource, name, body, NAMESPACE, kind=Patch.MERGE)

    async def delete(self, name: str) -> None:
        await self.client.delete(self.resource, name, NAMESPACE)
        try:
            while True:
                await self.client.get(self.resource, name, NAMESPACE)
                await asyncio.sleep(0.01)
        except NotFound:
            return


class ConfigMaps(ClusterService):
    """ConfigMaps; the event is one that is made."""

    resource = CONFIG_MAPS

    def block(self) -> dict[str, Any]:
        given = {"version": "v1", "resource": "configmaps", "namespace": NAMESPACE}
        return {**given, "eventTypes": ["ADD", "UPDATE", "DELETE"], **self.options}

    async def emit(self, n: int) -> None:
        await self.make(f"n-{n:04}", {"n": str(n)})

    async def make(
        self, name: str, data: Mapping[str, str] | None = None, **metadata: Any
    ) -> dict[str, Any]:
        obj = {"metadata": {"name": name, **metadata}, "data": dict(data or {})}
        return await self.client.create(CONFIG_MAPS, obj, NAMESPACE)

    def number(self, data: dict[str, Any]) -> int:
        return int(data["body"]["data"]["n"])


class Workflows(ClusterService):
    """Workflows; the event is one that ends."""

    resource = WORKFLOWS

    def block(self) -> dict[str, Any]:
        return {"namespace": NAMESPACE, **self.options}

    async def emit(self, n: int) -> None:
        await self.make(f"n-{n:04}")
        await self.end(f"n-{n:04}")

    async def make(self, name: str, **members: Any) -> dict[str, Any]:
        obj = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"name": name, **members.pop("metadata", {})},
            "spec": {"entrypoint": "main"},
            **members,
        }
        return await self.client.create(WORKFLOWS, obj, NAMESPACE)

    async def end(
        self, name: str, phase: str = "Succeeded", at: str = "2126-01-31T12:00:05Z", **status: Any
    ) -> dict[str, Any]:
        return await self.patch(name, {"status": {"phase": phase, "finishedAt": at, **status}})

    def number(self, data: dict[str, Any]) -> int:
        return int(data["name"].removeprefix("n-"))


class ClusterSourceContract(RemoteSourceContract):
    """
    The tests of a source whose service is the cluster.

    What reaches it is in a file that all event sources share, so a source that cannot work has none
    beside it that can; instead it must work itself once the file is right.
    """

    soon = {"tiphys.kube._watch.SILENT": 0.3, "tiphys.kube._watch.ANSWER": 0.3}  # noqa: RUF012

    async def _cannot_work(self, service: RemoteService, block: dict[str, Any]) -> str:
        assert isinstance(service, ClusterService)
        ((part, settings),) = block.items()
        right = replaced(service.kubeconfig, part, **settings)
        bus = await started_bus()
        with capture_logs() as logs:
            async with self.started(service, bus) as (pull, _):
                await service.until(lambda: pull.status.error is not None)
                text = str(pull.status.error)
                await service.wait(10 * QUIET)
                assert not pull.status.ready
                await asyncio.to_thread(service.kubeconfig.write_text, right)
                await service.emit(1)
                await service.until(lambda: bool(told(bus)))
        failures = [line for line in logs if line["log_level"] in ("warning", "error")]

        assert [line["error"] for line in failures] == [text]
        assert WRONG not in repr(logs)
        return text


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that names the cluster; what is waited for comes sooner."""
    path = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr(kubernetes, "TICK", 0.05)
    monkeypatch.setattr(kubernetes, "LOST", 0.5)
    return path


@asynccontextmanager
async def cluster(
    made: type[ClusterService], kubeconfig: Path, *, user: str | None = None, **options: Any
) -> AsyncIterator[Any]:
    """A fresh cluster, with the source as administrator or as *user*."""
    async with PausingAPIServer() as server, server.client() as client:
        server.kubeconfig(kubeconfig, user)
        yield made(server, client, kubeconfig, options)


def told(bus: MemoryBus) -> list[dict[str, Any]]:
    """The payloads of what was published, without the ConfigMap that every namespace has."""
    found = [data_of(event) for event in bus.published]
    return [data for data in found if "kube-root-ca.crt" not in str(data)]


async def trouble_of(key: str, service: ClusterService, wanted: str = "") -> str:
    """What the status of a source says that cannot work, once *wanted* is in it."""
    pull = pull_service(key, service, await started_bus())
    task = asyncio.create_task(pull.run())
    try:
        await service.until(lambda: bool(pull.status.error) and wanted in (pull.status.error or ""))
        assert not pull.status.ready
        return pull.status.error or ""
    finally:
        assert await stop(task, limit=1)


async def permit(service: ClusterService, user: str, *verbs: str) -> None:
    """Let *user* do *verbs* with everything in the namespace."""
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": list(verbs)}]
    metadata = {"name": f"{user}-{'-'.join(verbs)}"}
    await service.client.create(
        Resource(rbac, "v1", "roles", "Role"), {"metadata": metadata, "rules": rules}, NAMESPACE
    )
    binding = {
        "metadata": metadata,
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": metadata["name"]},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": user}],
    }
    await service.client.create(
        Resource(rbac, "v1", "rolebindings", "RoleBinding"), binding, NAMESPACE
    )


def replaced(kubeconfig: Path, part: str, **settings: str) -> str:
    """Change the ``cluster`` or the ``user`` of a kubeconfig file; returns what it was before."""
    before = kubeconfig.read_text()
    document = json.loads(before)
    document[f"{part}s"][0][part] |= settings
    kubeconfig.write_text(json.dumps(document))
    return before
