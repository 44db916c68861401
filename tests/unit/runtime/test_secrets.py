"""Where the values of Secrets and ConfigMaps come from, and in which order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tiphys.errors import SecretError
from tiphys.kube import CONFIG_MAPS, NAMESPACES, SECRETS
from tiphys.manifests.common import ConfigMapRef, SecretRef
from tiphys.runtime import cluster_values
from tiphys.runtime.cluster_values import ClusterValues, is_configured
from tiphys.runtime.secrets import Kind, SecretStore
from tiphys.testing.kubernetes import APIServer

REF = SecretRef(name="api", key="token")
MAP = ConfigMapRef(name="settings", key="url")
VARIABLE = "TIPHYS_SECRET_API_TOKEN"


class Places:
    """All places with a value of their own in each."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mounts: dict[Kind, Path] = {
            "Secret": root / "mounted/secrets",
            "ConfigMap": root / "mounted/config",
        }
        self.directory = root / "directory"
        self.values: dict[tuple[Kind, str, str], dict[str, bytes]] = {
            ("Secret", "ci", "api"): {"token": b"from a manifest\n"}
        }
        self._monkeypatch = monkeypatch
        write(self.mounts["Secret"] / "api/token", "from a volume\n")
        write(self.directory / "api/token", "from the directory\n")
        monkeypatch.setenv(VARIABLE, "from the environment")

    def take_volume(self) -> None:
        (self.mounts["Secret"] / "api/token").unlink()

    def take_manifest(self) -> None:
        self.values.clear()

    def take_directory(self) -> None:
        (self.directory / "api/token").unlink()

    def take_variable(self) -> None:
        self._monkeypatch.delenv(VARIABLE)

    def empty(self) -> None:
        for take in self.takers():
            take()

    def takers(self) -> list[Callable[[], None]]:
        return [self.take_volume, self.take_manifest, self.take_directory, self.take_variable]

    def store(self, cluster: ClusterValues | None = None) -> SecretStore:
        return SecretStore(
            "ci", lambda: self.values, self.directory, cluster=cluster, mounts=self.mounts
        )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return Places(tmp_path, monkeypatch)


async def filled(server: APIServer) -> None:
    """Put a Secret and a ConfigMap into a namespace of the cluster."""
    async with server.client() as client:
        await client.create(NAMESPACES, {"metadata": {"name": "ci"}})
        await client.create(
            SECRETS, {"metadata": {"name": "api"}, "stringData": {"token": "from the API\n"}}, "ci"
        )
        await client.create(
            CONFIG_MAPS, {"metadata": {"name": "settings"}, "data": {"url": "http://a"}}, "ci"
        )


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[APIServer]:
    """A cluster that ``KUBECONFIG`` names."""
    async with APIServer() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
        await filled(server)
        yield server


async def test_places_are_asked_in_order(places: Places, server: APIServer) -> None:
    cluster = ClusterValues()
    found = []
    for take in places.takers():
        found.append(await places.store(cluster).secret(REF))
        take()
    found.append(await places.store(cluster).secret(REF))
    await cluster.close()

    assert found == [
        "from a volume",
        "from a manifest",
        "from the directory",
        "from the environment",
        "from the API",
    ]


async def test_the_cluster_is_not_asked_for_what_is_found_elsewhere(
    places: Places, server: APIServer
) -> None:
    cluster, before = ClusterValues(), len(server.requests)
    await places.store(cluster).secret(REF)
    await cluster.close()

    assert len(server.requests) == before


async def test_config_maps_come_from_the_cluster_as_well(places: Places, server: APIServer) -> None:
    cluster = ClusterValues()
    value = await places.store(cluster).config_map(MAP)
    await cluster.close()

    assert value == "http://a"


async def test_only_one_newline_is_cut_off(places: Places) -> None:
    write(places.mounts["Secret"] / "api/token", "two\n\n")

    assert await places.store().secret(REF) == "two\n"


async def test_answers_of_the_cluster_are_kept_for_a_while(
    places: Places, server: APIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.empty()
    cluster = ClusterValues()
    await places.store(cluster).secret(REF)
    asked = len(server.requests)
    await places.store(cluster).secret(REF)
    assert len(server.requests) == asked

    monkeypatch.setattr(cluster_values, "KEPT", 0.0)
    await places.store(cluster).secret(REF)
    await cluster.close()

    assert len(server.requests) == asked + 1


async def test_what_is_nowhere_names_the_places_tried(places: Places) -> None:
    places.empty()
    with pytest.raises(SecretError) as raised:
        await places.store().secret(REF)

    assert str(raised.value) == (
        "Secret 'api' with the key 'token' is not there; tried "
        f"{places.mounts['Secret']}/api/token, a Secret manifest in namespace ci, "
        f"{places.directory}/api/token and the environment variable {VARIABLE}"
    )


async def test_the_cluster_is_among_the_places_tried(places: Places, server: APIServer) -> None:
    places.empty()
    cluster = ClusterValues()
    store = places.store(cluster)
    with pytest.raises(SecretError) as no_secret:
        await store.secret(SecretRef(name="other", key="token"))
    with pytest.raises(SecretError) as no_key:
        await store.secret(SecretRef(name="api", key="other"))
    await cluster.close()

    api = f"the Kubernetes API at {server.url} in namespace ci"
    assert str(no_secret.value).endswith(f" and {api}")
    assert str(no_key.value).endswith(f" and {api} (which has the Secret, but not the key)")


async def test_a_cluster_that_refuses_says_which_role_is_missing(
    places: Places, server: APIServer, tmp_path: Path
) -> None:
    places.empty()
    server.kubeconfig(tmp_path / "kubeconfig", "bob")
    cluster = ClusterValues()
    with pytest.raises(SecretError, match='User "bob" cannot get') as raised:
        await places.store(cluster).secret(REF)
    await cluster.close()

    assert 'resources: ["secrets"]' in str(raised.value)


async def test_a_cluster_that_does_not_answer_is_asked_again(
    places: Places, server: APIServer
) -> None:
    places.empty()
    cluster = ClusterValues()
    store = places.store(cluster)
    await server.close()
    with pytest.raises(SecretError, match="no answer from"):
        await store.secret(REF)
    await server.start()
    value = await store.secret(REF)
    await cluster.close()

    assert value == "from the API"


async def test_a_kubeconfig_that_is_not_there_is_said_to_be_tried(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places.empty()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nothing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(SecretError, match="no Kubernetes cluster is configured"):
        await places.store(ClusterValues()).secret(REF)


@pytest.mark.parametrize(
    ("variables", "configured"),
    [
        ({}, False),
        ({"KUBECONFIG": "/etc/kubeconfig"}, True),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, True),
    ],
)
def test_a_cluster_is_asked_only_where_one_was_named(
    variables: dict[str, str], configured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``~/.kube/config`` alone says nothing about this process."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert is_configured() is configured


@pytest.mark.parametrize("name", ["..", "a/b", "", "."])
async def test_names_that_lead_elsewhere_have_no_file(places: Places, name: str) -> None:
    write(places.directory.parent / "token", "not for them")
    write(places.directory / "a/b/token", "not for them")
    places.empty()

    with pytest.raises(SecretError, match="is not there"):
        await places.store().secret(SecretRef(name=name, key="token"))
