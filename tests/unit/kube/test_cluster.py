"""How the cluster is found, and what is said when there is none."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from tiphys.errors import ClusterNotConfigured
from tiphys.kube import Cluster, find_cluster
from tiphys.testing.kubernetes import APIServer


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cluster of the machine that runs the test."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def document(server: str = "http://127.0.0.1:1", **user: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
        "current-context": "x",
    }


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


async def header(cluster: Cluster) -> str | None:
    return await cluster.credentials.authorization()


async def test_a_file_that_is_given_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = write(tmp_path / "given", document("http://127.0.0.1:7", token="t"))
    monkeypatch.setenv("KUBECONFIG", str(write(tmp_path / "other", document())))

    cluster = find_cluster(given)

    assert cluster.server == URL("http://127.0.0.1:7")
    assert cluster.namespace == "n"
    assert cluster.origin == f"context 'x' of {given}"
    assert await header(cluster) == "Bearer t"


def test_the_home_directory_is_looked_into(tmp_path: Path) -> None:
    write(tmp_path / "home" / ".kube" / "config", document("http://127.0.0.1:8"))

    assert find_cluster().server.port == 8


def test_files_are_merged_and_the_first_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {
        "kind": "Config",
        "current-context": "x",
        "clusters": document("http://127.0.0.1:1")["clusters"],
    }
    second = {**document("http://127.0.0.1:2"), "current-context": "y"}
    files = [
        write(tmp_path / "one", first),
        tmp_path / "missing",
        write(tmp_path / "two", second),
    ]
    monkeypatch.setenv("KUBECONFIG", ":".join(map(str, files)))

    assert find_cluster().server.port == 1


async def test_yaml_and_relative_paths_are_understood(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "token", "from-a-file\n")
    text = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://localhost:9/prefix"}}]
users: [{name: u, user: {tokenFile: token}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""
    cluster = find_cluster(write(tmp_path / "deep" / "config", text))

    assert await header(cluster) == "Bearer from-a-file"
    assert cluster.namespace == "default"
    assert cluster.server.path == "/prefix"


def test_a_context_can_be_chosen(tmp_path: Path) -> None:
    content = document()
    content["clusters"].append({"name": "d", "cluster": {"server": "http://127.0.0.1:5"}})
    content["contexts"].append({"name": "y", "context": {"cluster": "d"}})

    assert find_cluster(write(tmp_path / "c", content), "y").server.port == 5


async def test_a_user_name_and_a_password_are_sent(tmp_path: Path) -> None:
    path = write(tmp_path / "c", document(username="me", password="secret"))

    value = await header(find_cluster(path))

    assert value == "Basic " + base64.b64encode(b"me:secret").decode()


def test_credentials_stay_at_home_without_tls(tmp_path: Path) -> None:
    near = find_cluster(write(tmp_path / "near", document("http://127.0.0.1:1", token="t")))
    far = find_cluster(write(tmp_path / "far", document("http://example.com", token="t")))
    safe = find_cluster(write(tmp_path / "safe", document("https://example.com", token="t")))

    assert near.takes_credentials
    assert not far.takes_credentials
    assert safe.takes_credentials


async def test_a_pod_uses_its_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with APIServer(tls=True) as server:
        authority = server.kubeconfig_document()["clusters"][0]["cluster"]
        ca = base64.b64decode(authority["certificate-authority-data"]).decode()
        account = tmp_path / "account"
        write(account / "token", server.token("system:serviceaccount:ns:worker"))
        write(account / "namespace", "ns\n")
        write(account / "ca.crt", ca)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.url.port))

        cluster = find_cluster(service_account=account)

    assert cluster.server == server.url
    assert cluster.namespace == "ns"
    assert cluster.origin == f"the service account in {account}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"current-context": ""}, "there is no current-context"),
        ({"current-context": "z"}, "there is no context 'z'; there are: x"),
        ({"clusters": []}, "there is no cluster 'c'; there are: none"),
        ({"users": []}, "there is no user 'u'; there are: none"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, "the cluster has no server"),
        ({"kind": "Pod"}, "is no kubeconfig"),
        ({"users": [{"name": "u", "user": {"auth-provider": {}}}]}, "auth-provider is no longer"),
        (
            {"users": [{"name": "u", "user": {"tokenFile": "", "exec": {"command": "x"}}}]},
            "exec.apiVersion must be client.authentication.k8s.io/v1",
        ),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "https://x",
                                                    "certificate-authority": "/nowhere/ca"}}]},
            "certificate-authority: ",
        ),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "https://x", "proxy-url": "socks5://y"}}]},
            "is neither http nor https",
        ),
        (
            {"clusters": [{"name": "c", "cluster": {"server": "https://x"}}],
             "users": [{"name": "u", "user": {"client-certificate-data": "YQ=="}}]},
            "client-certificate and client-key must be given together",
        ),
    ],
)  # fmt: skip
def test_a_wrong_file_is_explained(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = write(tmp_path / "config", {**document(), **change})

    with pytest.raises(ClusterNotConfigured) as refused:
        find_cluster(path)

    assert said in str(refused.value)


def test_a_file_that_is_no_yaml_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ClusterNotConfigured, match="cannot be read as a kubeconfig"):
        find_cluster(write(tmp_path / "config", "a: [b"))


def test_without_any_cluster_everything_tried_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClusterNotConfigured) as refused:
        find_cluster()

    assert str(refused.value) == (
        "no Kubernetes cluster is configured; tried the service account of a pod "
        "(KUBERNETES_SERVICE_HOST is not set); ~/.kube/config (no such file)"
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterNotConfigured, match=r"/nowhere \(given: no such file\)$"):
        find_cluster(Path("/nowhere"))

    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with pytest.raises(ClusterNotConfigured, match=r"/nowhere \(named by KUBECONFIG: no such"):
        find_cluster()
