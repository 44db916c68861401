"""A cluster without nodes on the loopback: etcd, an API server, and the controllers tests need."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests._ports import free_port
from tests.integration._certificates import Pair, self_signed

PATIENCE = 120.0  # seconds for the servers to be ready; four are usual
LAST_WORDS = 3000  # characters of a log
CONTROLLERS = (
    "cronjob-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "persistentvolumeclaim-protection-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
)
READY = ("/readyz", "/api/v1/namespaces/default/serviceaccounts/default")  # the controllers make it


class Failed(Exception):
    """A server ended, or the servers do not become ready."""


@contextlib.contextmanager
def cluster(program: Path, directory: Path) -> Iterator[Path]:
    """
    A running cluster: the kubeconfig of its administrator.

    *program* is all servers in one; they keep everything in *directory*, and end with the
    context.  Raises :exc:`Failed`.
    """
    pair = self_signed(directory, "kube-apiserver")
    token = secrets.token_hex(16)
    port = free_port()
    kubeconfig = _kubeconfig(directory / "kubeconfig", port, token, pair)
    with contextlib.ExitStack() as stack:

        def run(name: str, *flags: str) -> subprocess.Popen[bytes]:
            log = stack.enter_context((directory / f"{name}.log").open("wb"))
            process = subprocess.Popen(
                [program, name, *flags], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                process_group=0,  # Ctrl-C is for us, who end them after the tests
            )  # fmt: skip
            stack.callback(_end, process)
            return process

        store = f"http://127.0.0.1:{free_port()}"
        servers = [
            run("etcd", *_etcd(directory, store)),
            run("kube-apiserver", *_api_server(directory, store, port, token, pair)),
            run("kube-controller-manager", *_controllers(kubeconfig, pair)),
        ]
        _wait(directory, servers, f"https://127.0.0.1:{port}", token, pair)
        yield kubeconfig


def _etcd(directory: Path, url: str) -> list[str]:
    peers = f"http://127.0.0.1:{free_port()}"
    return [
        f"--data-dir={directory / 'etcd'}", "--name=tests", "--log-level=warn",
        "--unsafe-no-fsync",  # nothing here needs to survive
        f"--listen-client-urls={url}", f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=tests={peers}",
    ]  # fmt: skip


def _api_server(directory: Path, store: str, port: int, token: str, pair: Pair) -> list[str]:
    tokens = _private(directory / "tokens.csv", f"{token},admin,admin,system:masters\n")
    return [
        f"--etcd-servers={store}", "--bind-address=127.0.0.1", f"--secure-port={port}",
        f"--tls-cert-file={pair.certificate}", f"--tls-private-key-file={pair.key}",
        f"--cert-dir={directory}", f"--token-auth-file={tokens}", "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pair.certificate}",
        f"--service-account-signing-key-file={pair.key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",  # the loopback can be nobody's endpoint
    ]  # fmt: skip


def _controllers(kubeconfig: Path, pair: Pair) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}", f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false", "--secure-port=0", f"--root-ca-file={pair.certificate}",
        f"--service-account-private-key-file={pair.key}",
    ]  # fmt: skip


def _kubeconfig(path: Path, port: int, token: str, pair: Pair) -> Path:
    server = f"https://127.0.0.1:{port}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "tests",
                "cluster": {"server": server, "certificate-authority": str(pair.certificate)},
            }
        ],
        "users": [{"name": "tests", "user": {"token": token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "current-context": "tests",
    }
    return _private(path, json.dumps(document, indent=2))


def _private(path: Path, text: str) -> Path:
    """Write *text* where only this user can read it."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


def _wait(
    directory: Path, servers: list[subprocess.Popen[bytes]], url: str, token: str, pair: Pair
) -> None:
    tls = ssl.create_default_context(cafile=pair.certificate)
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT  # a certificate that vouches for itself
    deadline = time.monotonic() + PATIENCE
    for path in READY:
        request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {token}"})
        while not _answers(request, tls):
            ended = [str(s.args[1]) for s in servers if s.poll() is not None]  # type: ignore[index]
            if ended or time.monotonic() > deadline:
                what = f"{ended[0]} ended" if ended else "the servers do not become ready"
                log = directory / f"{ended[0] if ended else 'kube-apiserver'}.log"
                raise Failed(f"{what}:\n{log.read_text(errors='replace')[-LAST_WORDS:]}")
            time.sleep(0.05)


def _answers(request: urllib.request.Request, tls: ssl.SSLContext) -> bool:
    try:
        with urllib.request.urlopen(request, context=tls, timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server at once: in good order takes it half a minute."""
    process.kill()
    process.wait()
