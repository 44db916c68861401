"""Where the API server is and who we are to it: kubeconfig files, or the pod's service account."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import os
import ssl
from pathlib import Path
from typing import Any

from yarl import URL

from tiphys.errors import ClusterNotConfigured
from tiphys.kube import _kubeconfig
from tiphys.kube._credentials import (
    EXEC_VERSIONS,
    Credentials,
    ExecCredentials,
    ExecPlugin,
    FixedCredentials,
    TokenFile,
    load_pair,
)
from tiphys.kube._kubeconfig import Entry
from tiphys.system import is_loopback

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclasses.dataclass(frozen=True, slots=True)
class Cluster:
    """
    A cluster that requests can be sent to.

    *namespace* is the one to use where nothing else is said, *server_name* the name that the
    server's certificate must have instead of the host's, *origin* tells people where all this
    was found.
    """

    server: URL
    credentials: Credentials = dataclasses.field(default_factory=Credentials)
    namespace: str = "default"
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    proxy: URL | None = None
    origin: str = ""

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        return is_loopback(self.server.host or "")

    @property
    def takes_credentials(self) -> bool:
        """Whether credentials may be sent: never in the clear over a network."""
        return self.server.scheme == "https" or self.loopback


def find_cluster(
    kubeconfig: Path | None = None,
    context: str | None = None,
    *,
    service_account: Path = SERVICE_ACCOUNT,
) -> Cluster:
    """
    The cluster to talk to.

    In this order: the file *kubeconfig*; the files of ``KUBECONFIG``; the service account of the
    pod this runs in; ``~/.kube/config``.  *context* names a context of the files other than the
    current one.  Reads files.  Raises :exc:`ClusterNotConfigured`, naming what was tried.
    """
    tried = []
    explicit = [kubeconfig] if kubeconfig is not None else _kubeconfig.from_environment()
    if explicit:
        if found := _kubeconfig.read(explicit):
            return _from_kubeconfig(found, context)
        where = "given" if kubeconfig is not None else "named by KUBECONFIG"
        tried.append(f"{', '.join(map(str, explicit))} ({where}: no such file)")
    if kubeconfig is None:
        host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        if host and (service_account / "token").is_file():
            return _in_cluster(host, port, service_account)
        missing = (
            f"no {service_account / 'token'}" if host else "KUBERNETES_SERVICE_HOST is not set"
        )
        tried.append(f"the service account of a pod ({missing})")
        if not explicit:
            if found := _kubeconfig.read([_kubeconfig.HOME]):
                return _from_kubeconfig(found, context)
            tried.append(f"{_kubeconfig.HOME} (no such file)")
    raise ClusterNotConfigured(f"no Kubernetes cluster is configured; tried {'; '.join(tried)}")


def _in_cluster(host: str, port: str, directory: Path) -> Cluster:
    namespace = directory / "namespace"
    return Cluster(
        server=URL.build(scheme="https", host=host, port=int(port)),
        credentials=TokenFile(directory / "token"),
        namespace=(namespace.read_text().strip() if namespace.is_file() else "") or "default",
        tls=_tls(authorities=(directory / "ca.crt").read_text()),
        origin=f"the service account in {directory}",
    )


def _from_kubeconfig(kubeconfig: _kubeconfig.Kubeconfig, context: str | None) -> Cluster:
    name, settings, cluster, user = kubeconfig.context(context)
    origin = f"context {name!r} of {', '.join(map(str, kubeconfig.files))}"
    server = cluster.text("server")
    if not server:
        raise ClusterNotConfigured(f"{origin}: the cluster has no server")
    url = URL(server if "://" in server else f"https://{server}")
    tls = _tls_of(cluster, user, origin) if url.scheme == "https" else None
    proxy = cluster.text("proxy-url")
    if proxy and URL(proxy).scheme not in ("http", "https"):
        raise ClusterNotConfigured(f"{origin}: proxy-url {proxy!r} is neither http nor https")
    return Cluster(
        server=url,
        credentials=_credentials(cluster, user, tls, origin),
        namespace=settings.text("namespace") or "default",
        tls=tls,
        server_name=cluster.text("tls-server-name") or None,
        proxy=URL(proxy) if proxy else None,
        origin=origin,
    )


def _tls_of(cluster: Entry, user: Entry, origin: str) -> ssl.SSLContext:
    context = _tls(
        authorities=_data_or_file(cluster, "certificate-authority", origin),
        verified=cluster.settings.get("insecure-skip-tls-verify") is not True,
    )
    certificate = _data_or_file(user, "client-certificate", origin)
    key = _data_or_file(user, "client-key", origin)
    if bool(certificate) != bool(key):
        message = f"{origin}: client-certificate and client-key must be given together"
        raise ClusterNotConfigured(message)
    if certificate and key:
        load_pair(context, certificate, key)
    return context


def _tls(authorities: str | None, verified: bool = True) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=authorities or None)
    except (ssl.SSLError, ValueError) as error:
        message = f"the cluster's certificate authority cannot be used: {error}"
        raise ClusterNotConfigured(message) from error
    # Python 3.13 asks more of authorities than those of many clusters have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _data_or_file(entry: Entry, key: str, origin: str) -> str | None:
    """The text under ``<key>-data``, else of the file under *key*."""
    if data := entry.text(f"{key}-data"):
        try:
            return base64.b64decode(data, validate=False).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ClusterNotConfigured(f"{origin}: {key}-data is no base64 of text") from error
    path = entry.path(key)
    if path is None:
        return None
    try:
        return path.read_text()
    except OSError as error:
        raise ClusterNotConfigured(f"{origin}: {key}: {error}") from error


def _credentials(
    cluster: Entry, user: Entry, tls: ssl.SSLContext | None, origin: str
) -> Credentials:
    if isinstance(plugin := user.settings.get("exec"), dict):
        return ExecCredentials(_plugin(plugin, cluster, user.directory, origin), tls)
    if file := user.path("tokenFile"):
        return TokenFile(file)
    if token := user.text("token"):
        return FixedCredentials.token(token)
    if username := user.text("username"):
        return FixedCredentials.basic(username, user.text("password"))
    if "auth-provider" in user.settings:
        message = f"{origin}: auth-provider is no longer part of Kubernetes; use exec"
        raise ClusterNotConfigured(message)
    return Credentials()


def _plugin(settings: dict[str, Any], cluster: Entry, directory: Path, origin: str) -> ExecPlugin:
    command, version = settings.get("command") or "", settings.get("apiVersion") or ""
    if version not in EXEC_VERSIONS:
        known = " or ".join(EXEC_VERSIONS)
        raise ClusterNotConfigured(f"{origin}: exec.apiVersion must be {known}, not {version!r}")
    if not command:
        raise ClusterNotConfigured(f"{origin}: exec.command is missing")
    told = None
    if settings.get("provideClusterInfo") is True:
        keys = ("server", "tls-server-name", "insecure-skip-tls-verify",
                "certificate-authority-data", "proxy-url")  # fmt: skip
        told = {key: cluster.settings[key] for key in keys if key in cluster.settings}
    return ExecPlugin(
        version,
        str(directory / command) if "/" in command else command,
        [str(argument) for argument in settings.get("args") or []],
        {item["name"]: item["value"] for item in settings.get("env") or []},
        settings.get("installHint") or "",
        told,
    )
