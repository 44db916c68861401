"""
What an API server must do, whether it is the double or a real one.

``make test-kubernetes`` starts a real one and runs the same tests against it.  To use another,
``TIPHYS_TEST_KUBECONFIG`` names the kubeconfig of its cluster: one without objects that
matter, whose user may do everything.  ``test_controllers.py`` needs the controllers of Kubernetes
besides the API server.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tiphys.errors import AlreadyExists, KubernetesError, NotFound
from tiphys.kube import CONFIG_MAPS, NAMESPACES, Client, Cluster, Resource, find_cluster
from tiphys.kube._credentials import FixedCredentials
from tiphys.testing.kubernetes import APIServer

Object = dict[str, Any]
REAL = os.environ.get("TIPHYS_TEST_KUBECONFIG", "")
CRON_JOBS = Resource("batch", "v1", "cronjobs", "CronJob")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
JOBS = Resource("batch", "v1", "jobs", "Job")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
SERVICES = Resource("", "v1", "services", "Service")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding")
DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False
)


class KubernetesContract:
    """Fixtures for tests of an API server: a client, and a namespace of the test's own."""

    @pytest.fixture
    async def server(self) -> AsyncIterator[APIServer | None]:
        """The double; None where a real cluster is tested."""
        if REAL:
            yield None
            return
        async with APIServer(tls=True) as server:
            yield server

    @pytest.fixture
    def cluster(self, server: APIServer | None) -> Cluster:
        return find_cluster(Path(REAL)) if server is None else server.cluster()

    @pytest.fixture
    async def client(self, cluster: Cluster) -> AsyncIterator[Client]:
        async with Client(cluster) as client:
            yield client

    @pytest.fixture
    async def namespace(self, client: Client) -> AsyncIterator[str]:
        made = await client.create(
            NAMESPACES,
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "contract-"}},
        )
        name = made["metadata"]["name"]
        with contextlib.suppress(AlreadyExists):  # pods need it; a controller may be faster
            account = {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default"},
            }
            await client.create(SERVICE_ACCOUNTS, account, name)
        yield name
        with contextlib.suppress(KubernetesError):
            await client.delete(NAMESPACES, name)


def config_map(name: str, **data: str) -> Object:
    """A ConfigMap; a name that ends in ``-`` is a prefix."""
    named = {"generateName": name} if name.endswith("-") else {"name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named, "data": data}


def deployment(name: str, **container: Any) -> Object:
    """A Deployment with one container, and no replicas, so that nothing starts."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "busybox:1", **container}]},
            },
        },
    }


def pod(name: str, **metadata: Any) -> Object:
    """A pod that no node takes."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {
            "containers": [{"name": "main", "image": "busybox:1"}],
            "schedulerName": "nobody",
        },
    }


def owned_by(owner: Object, **options: Any) -> list[Object]:
    """``metadata.ownerReferences`` with one owner."""
    return [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            **options,
        }
    ]


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until *check* holds; controllers take their time."""
    async with asyncio.timeout(30):
        while not await check():
            await asyncio.sleep(0.02)


async def there(client: Client, resource: Resource, name: str, namespace: str) -> None:
    """Wait until an object is there."""

    async def check() -> bool:
        try:
            return bool(await client.get(resource, name, namespace))
        except NotFound:
            return False

    await eventually(check)


async def gone(client: Client, resource: Resource, name: str, namespace: str) -> None:
    """Wait until an object is not there any more."""

    async def check() -> bool:
        try:
            return not await client.get(resource, name, namespace)
        except NotFound:
            return True

    await eventually(check)


async def make(client: Client, namespace: str, name: str, **data: str) -> Object:
    """Create a ConfigMap."""
    return await client.create(CONFIG_MAPS, config_map(name, **data), namespace)


def causes(error: KubernetesError) -> set[tuple[str, str]]:
    """Reason and field of each cause."""
    return {(cause["reason"], cause["field"]) for cause in error.details.get("causes", [])}


@contextlib.asynccontextmanager
async def service_account(client: Client, namespace: str, name: str) -> AsyncIterator[Client]:
    """A client that is a service account made for it."""
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    await client.create(SERVICE_ACCOUNTS, account, namespace)
    answer = await client.create(
        SERVICE_ACCOUNTS,
        {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
        namespace,
        name=name,
        subresource="token",
    )
    credentials = FixedCredentials.token(answer["status"]["token"])
    tls = None
    if client.cluster.tls is not None:  # the administrator's may hold a client certificate
        tls = client.cluster.tls
    cluster = dataclasses.replace(client.cluster, credentials=credentials, tls=tls)
    async with Client(cluster) as limited:
        yield limited


async def finalizers(client: Client, namespace: str, name: str, *values: str) -> Object:
    """Give a ConfigMap these finalizers."""
    patch = {"metadata": {"finalizers": list(values) or None}}
    return await client.patch(CONFIG_MAPS, name, patch, namespace)
