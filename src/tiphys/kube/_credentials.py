"""Who we are to the API server: tokens, token files, basic authentication, credential plugins."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import os
import ssl
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tiphys.errors import ClusterNotConfigured

TOKEN_AGE = 60.0  # seconds; the kubelet renews mounted tokens long before they expire
EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
EXEC_TIMEOUT = 60.0  # seconds


class Credentials:
    """
    Gives the value of the ``Authorization`` header.

    This one gives none: nothing tells who we are, or the client certificate of the connection.
    """

    async def authorization(self) -> str | None:
        """The header's value, or None."""
        return None

    def refused(self) -> None:
        """The server answered 401: what is remembered is not to be used again."""


class FixedCredentials(Credentials):
    """A header that never changes."""

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def token(cls, token: str) -> FixedCredentials:
        """A bearer token."""
        return cls(f"Bearer {token}")

    @classmethod
    def basic(cls, username: str, password: str) -> FixedCredentials:
        """A user name and a password."""
        return cls("Basic " + base64.b64encode(f"{username}:{password}".encode()).decode())

    async def authorization(self) -> str | None:
        """The header."""
        return self._value


class TokenFile(Credentials):
    """A bearer token in a file, read again every minute and after a refusal."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._token = ""
        self._read_at = 0.0

    async def authorization(self) -> str | None:
        """The token as the file has it.  Raises :exc:`ClusterNotConfigured` without one."""
        now = time.monotonic()
        if not self._token or now - self._read_at > TOKEN_AGE:
            try:
                token = self._file.read_text().strip()
            except OSError as error:
                message = f"the token file {self._file} cannot be read: {error}"
                raise ClusterNotConfigured(message) from error
            if not token:
                raise ClusterNotConfigured(f"the token file {self._file} is empty")
            self._token, self._read_at = token, now
        return f"Bearer {self._token}"

    def refused(self) -> None:
        """Read the file at the next request."""
        self._token = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ExecPlugin:
    """The ``exec`` block of a kubeconfig user; *cluster* is what the plugin is told of it."""

    api_version: str
    command: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    install_hint: str = ""
    cluster: Mapping[str, Any] | None = None

    def information(self) -> str:
        """The ``ExecCredential`` that the plugin finds in its environment."""
        spec: dict[str, Any] = {"interactive": False}
        if self.cluster is not None:
            spec["cluster"] = dict(self.cluster)
        return json.dumps({"apiVersion": self.api_version, "kind": "ExecCredential", "spec": spec})


class ExecCredentials(Credentials):
    """
    What a credential plugin prints (``client.authentication.k8s.io/v1``).

    It is run when there is nothing yet, when that expired, and after a refusal.  A certificate
    it returns is loaded into *tls*, so that connections from then on present it.
    """

    def __init__(self, plugin: ExecPlugin, tls: ssl.SSLContext | None) -> None:
        self._plugin = plugin
        self._tls = tls
        self._lock = asyncio.Lock()
        self._token: str | None = None
        self._known = False
        self._expires: datetime | None = None

    async def authorization(self) -> str | None:
        """The plugin's token.  Raises :exc:`ClusterNotConfigured` when it gives none."""
        async with self._lock:
            expired = self._expires is not None and datetime.now(UTC) >= self._expires
            if not self._known or expired:
                await self._take(await self._run())
        return None if self._token is None else f"Bearer {self._token}"

    def refused(self) -> None:
        """Run the plugin again at the next request."""
        self._known = False

    async def _run(self) -> bytes:
        plugin = self._plugin
        environment = {**os.environ, **plugin.environment}
        environment["KUBERNETES_EXEC_INFO"] = plugin.information()
        try:
            process = await asyncio.create_subprocess_exec(
                plugin.command, *plugin.arguments, env=environment,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            hint = f"; {plugin.install_hint.strip()}" if plugin.install_hint else ""
            message = f"the credential plugin {plugin.command!r} cannot be run: {error}{hint}"
            raise ClusterNotConfigured(message) from error
        try:
            async with asyncio.timeout(EXEC_TIMEOUT):
                output, errors = await process.communicate()
        except TimeoutError as error:
            message = f"the credential plugin {plugin.command!r} gave no answer in time"
            raise ClusterNotConfigured(message) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            said = errors.decode(errors="replace").strip() or f"exit status {process.returncode}"
            raise ClusterNotConfigured(f"the credential plugin {plugin.command!r} failed: {said}")
        return output

    async def _take(self, output: bytes) -> None:
        plugin = self._plugin
        try:
            answer = json.loads(output)
            status = answer["status"]
            token, certificate = status.get("token"), status.get("clientCertificateData")
            expires = status.get("expirationTimestamp")
            version = answer["apiVersion"]
            expires = expires and datetime.fromisoformat(expires.replace("Z", "+00:00"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            message = f"the credential plugin {plugin.command!r} printed no ExecCredential"
            raise ClusterNotConfigured(message) from error
        if version != plugin.api_version:
            raise ClusterNotConfigured(
                f"the credential plugin {plugin.command!r} answered in {version}, "
                f"the kubeconfig asks for {plugin.api_version}"
            )
        if not token and not certificate:
            message = f"the credential plugin {plugin.command!r} gave neither token nor certificate"
            raise ClusterNotConfigured(message)
        if certificate and self._tls is not None:
            key = status.get("clientKeyData") or ""
            await asyncio.to_thread(load_pair, self._tls, certificate, key)
        self._token, self._expires, self._known = token or None, expires or None, True


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """
    Give *context* a certificate and its key from memory; the library reads only files.

    Raises :exc:`ClusterNotConfigured` for texts that are no pair.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:  # mode 0600
        file.write(f"{certificate}\n{key}\n")
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except (ssl.SSLError, OSError) as error:
            message = f"the client certificate and key cannot be used: {error}"
            raise ClusterNotConfigured(message) from error
