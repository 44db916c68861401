"""Where values of Secrets and ConfigMaps come from (design: secrets and safety)."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Protocol

from tiphys.errors import KubernetesError, NotFound, SecretError
from tiphys.manifests.common import TLS, ConfigMapRef, KeySelector, SecretRef

Kind = Literal["Secret", "ConfigMap"]
MOUNTS: dict[Kind, Path] = {
    "Secret": Path("/argo-events/secrets"),
    "ConfigMap": Path("/argo-events/config"),
}
Values = Mapping[tuple[Kind, str, str], Mapping[str, bytes]]
"""Values by kind, namespace and name of the object, then by key."""


class Cluster(Protocol):
    """A cluster that is asked last; ``str`` names it."""

    async def values(self, kind: Kind, namespace: str, name: str) -> Mapping[str, bytes]:
        """The values of an object by key.  Raises :exc:`KubernetesError`."""
        ...


class SecretStore:
    """
    Looks a value up, in this order: mounted volumes, the loaded manifests, the secrets directory,
    the environment, the cluster.

    All are asked at the time of use, *values* for what the manifests say by then, so that a rotated
    secret counts at once.  One trailing newline of a file is not part of the value.
    """

    def __init__(
        self,
        namespace: str,
        values: Callable[[], Values],
        directory: Path | None = None,
        *,
        cluster: Cluster | None = None,
        mounts: Mapping[Kind, Path] = MOUNTS,
    ) -> None:
        self._namespace = namespace
        self._values = values
        self._directory = directory
        self._cluster = cluster
        self._mounts = mounts

    async def secret(self, ref: SecretRef) -> str:
        """The value of a key of a Secret.  Raises :exc:`SecretError`."""
        return (await self._find("Secret", ref)).decode("utf-8", "surrogateescape")

    async def config_map(self, ref: ConfigMapRef) -> str:
        """The value of a key of a ConfigMap.  Raises :exc:`SecretError`."""
        return (await self._find("ConfigMap", ref)).decode("utf-8", "surrogateescape")

    async def tls(self, tls: TLS) -> ssl.SSLContext:
        """
        The client context that *tls* describes (spec: triggers 1.5).

        Raises :exc:`SecretError` for a value that is missing or no PEM, or for half a client pair.
        """
        if tls.insecure_skip_verify:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        authorities = tls.ca_cert_secret and await self.secret(tls.ca_cert_secret)
        certificate = tls.client_cert_secret and await self.secret(tls.client_cert_secret)
        key = tls.client_key_secret and await self.secret(tls.client_key_secret)
        if not (authorities or certificate or key or tls.enabled):
            raise SecretError(
                "invalid tls config, neither of caCertSecret, clientCertSecret and "
                "clientKeySecret is configured"
            )
        if bool(certificate) != bool(key) and not tls.enabled:
            raise SecretError(
                "invalid tls config, both of clientCertSecret and clientKeySecret need to be "
                "configured"
            )
        try:
            context = ssl.create_default_context(cadata=authorities or None)
            if certificate and key:
                await asyncio.to_thread(load_pair, context, certificate, key)
        except (ssl.SSLError, ValueError) as error:
            raise SecretError(
                f"the certificates of the tls block cannot be used: {error}"
            ) from error
        return context

    async def _find(self, kind: Kind, ref: KeySelector) -> bytes:
        tried: list[str] = []
        value = self._local(kind, ref, tried)
        if value is None and self._cluster is not None:
            value = await self._remote(self._cluster, kind, ref, tried)
        if value is not None:
            return value
        raise SecretError(
            f"{kind} {ref.name!r} with the key {ref.key!r} is not there; "
            f"tried {', '.join(tried[:-1])} and {tried[-1]}"
        )

    def _local(self, kind: Kind, ref: KeySelector, tried: list[str]) -> bytes | None:
        """The value without asking anybody; adds to *tried* where it is not."""
        mount = self._mounts[kind]
        if (value := _in_directory(mount, ref)) is not None:
            return value
        tried.append(str(mount / ref.name / ref.key))
        values = self._values().get((kind, self._namespace, ref.name), {})
        if ref.key in values:
            return values[ref.key].removesuffix(b"\n")
        tried.append(f"a {kind} manifest in namespace {self._namespace}")
        if self._directory is not None:
            if (value := _in_directory(self._directory, ref)) is not None:
                return value
            tried.append(str(self._directory / ref.name / ref.key))
        variable = variable_name(kind, ref)
        if variable in os.environ:
            return os.environb[variable.encode()]
        tried.append(f"the environment variable {variable}")
        return None

    async def _remote(
        self, cluster: Cluster, kind: Kind, ref: KeySelector, tried: list[str]
    ) -> bytes | None:
        """The value in the cluster; adds to *tried* why it is not."""
        why = ""
        try:
            values = await cluster.values(kind, self._namespace, ref.name)
            if ref.key in values:
                return values[ref.key].removesuffix(b"\n")
            why = f" (which has the {kind}, but not the key)"
        except NotFound:
            pass  # as at any other place
        except KubernetesError as error:
            why = f" ({error})"
        tried.append(f"{cluster} in namespace {self._namespace}{why}")
        return None


def variable_name(kind: Kind, ref: KeySelector) -> str:
    """``TIPHYS_SECRET_<NAME>_<KEY>``: capitals, and ``_`` for what is no letter or digit."""
    middle = "SECRET" if kind == "Secret" else "CONFIG"
    name, key = (re.sub(r"[^A-Za-z0-9]", "_", part).upper() for part in (ref.name, ref.key))
    return f"TIPHYS_{middle}_{name}_{key}"


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Give *context* a certificate and its key from memory; the library reads only files."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # mode 0600
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        context.load_cert_chain(file.name)


def _in_directory(directory: Path, ref: KeySelector) -> bytes | None:
    """The value in ``<directory>/<name>/<key>``; names that lead elsewhere have none."""
    if any(part in ("", ".", "..") or "/" in part for part in (ref.name, ref.key)):
        return None
    path = directory / ref.name / ref.key
    return path.read_bytes().removesuffix(b"\n") if path.is_file() else None
