"""A manifest in a Git repository, over HTTPS or SSH (spec: triggers 3.3)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import Field

from tiphys.errors import MissingExtraError, TriggerError
from tiphys.manifests.common import BasicAuth, Block, SecretRef
from tiphys.system import without_login
from tiphys.triggers._base import TriggerContext
from tiphys.triggers._shared.secrets import retrieving
from tiphys.triggers.artifacts._github_app import installation_token
from tiphys.triggers.artifacts._session import check_addresses

if TYPE_CHECKING:
    from tiphys.triggers.artifacts._clone import Access

SECONDS = 180.0  # for one read, the transfer of the repository included
SCHEMES = ("https", "http", "ssh", "file")
_FORBIDDEN = re.compile(r"\.\.|~|\\")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class GitRemote(Block):
    """Another repository with the same history."""

    name: str = Field("", description="Name of the remote.")
    urls: list[str] = Field([], description="Its addresses, of which the first is used.")


class GitHubApp(Block):
    """A GitHub App that may read the repository."""

    private_key: SecretRef | None = Field(None, description="The app's private key, PEM.")
    app_id: int = Field(0, alias="appID", description="Id of the app.")
    installation_id: int = Field(
        0, alias="installationID", description="Id of its installation for the owner."
    )


class GitArtifact(Block):
    """A file in a Git repository."""

    url: str = Field("", description="Address: `https://`, `ssh://`, `user@host:path`, `file://`.")
    file_path: str = Field("", description="Path of the file in the repository.")
    branch: str = Field(
        "", description="Branch; by default `master`, or else the repository's own default."
    )
    tag: str = Field("", description="Tag; wins over `branch`.")
    ref: str = Field("", description="Full name such as `refs/pull/1/head`; wins over both.")
    clone_directory: str = Field(
        "", description="Where a copy is kept between events; by default nothing is kept."
    )
    creds: BasicAuth | None = Field(None, description="User and password for HTTP.")
    github_app: GitHubApp | None = Field(None, description="A GitHub App to act as.")
    ssh_key_secret: SecretRef | None = Field(None, description="Private key for SSH.")
    insecure_ignore_host_key: bool = Field(
        False, description="Accept any SSH host key instead of those in the known_hosts files."
    )
    remote: GitRemote | None = Field(None, description="Read from here first.")

    @property
    def addresses(self) -> list[str]:
        """Where to look for the ref, in order."""
        remote = self.remote.urls[:1] if self.remote is not None else []
        return [*remote, self.url]

    @property
    def refs(self) -> list[str]:
        """The full names that the ref may have; the first that exists counts."""
        if self.ref:
            return [self.ref]
        if self.tag:
            return [f"refs/tags/{self.tag}"]
        return [f"refs/heads/{self.branch}"] if self.branch else ["refs/heads/master", "HEAD"]


def problems(artifact: GitArtifact) -> list[str]:
    """What is missing or not allowed, a sentence each."""
    found = []
    for name in ("url", "file_path"):
        if not getattr(artifact, name):
            found.append(f"source.git.{GitArtifact.model_fields[name].alias} is missing")
    for value, place in (
        (artifact.file_path, "filePath"),
        (artifact.clone_directory, "cloneDirectory"),
    ):
        if (bad := _FORBIDDEN.search(value)) is not None:
            found.append(f'"{bad[0]}" is not allowed in the {place}')
    for address in filter(None, artifact.addresses):
        scheme = _SCHEME.match(address)
        if scheme is not None and scheme[1].lower() not in SCHEMES:
            known = ", ".join(SCHEMES)
            found.append(f"source.git: {scheme[1]}:// is not supported; one of {known} is")
    return found


async def read(artifact: GitArtifact, ctx: TriggerContext, *, seconds: float = SECONDS) -> bytes:
    """The content of the file.  Raises :exc:`TriggerError`."""
    if bad := problems(artifact):
        raise TriggerError("; ".join(bad), retryable=False)
    try:
        from tiphys.triggers.artifacts import _clone
    except ModuleNotFoundError as error:
        missing = MissingExtraError("artifact source", "git", error.name or "dulwich")
        raise TriggerError(str(missing), retryable=False) from error
    for address in artifact.addresses:
        if host := _host(address):
            await check_addresses(host, ctx.egress)
    access = await _access(artifact, ctx)
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.to_thread(
                _clone.content,
                artifact.addresses,
                artifact.refs,
                artifact.file_path,
                access,
                artifact.clone_directory,
            )
    except TimeoutError as error:
        message = f"{without_login(artifact.url)} was not read within {seconds:g} s"
        raise TriggerError(message) from error


def _host(address: str) -> str:
    """
    The server of a repository; empty where it is on this machine's disk.

    Raises :exc:`TriggerError` for what cannot be understood.
    """
    if _SCHEME.match(address):
        try:
            return urlsplit(address).hostname or ""
        except ValueError:
            message = f"{without_login(address)!r} is no address"
            raise TriggerError(message, retryable=False) from None
    return address.partition(":")[0].rpartition("@")[2] if ":" in address else ""


async def _access(artifact: GitArtifact, ctx: TriggerContext) -> Access:
    """The credentials, by precedence: user and password, GitHub App, SSH key, none."""
    from tiphys.triggers.artifacts._clone import Access

    with retrieving("credentials of source.git"):
        creds, app = artifact.creds, artifact.github_app
        if creds is not None and creds.username is not None and creds.password is not None:
            return Access(
                username=await ctx.secret(creds.username), password=await ctx.secret(creds.password)
            )
        if app is not None and app.private_key is not None:
            key = await ctx.secret(app.private_key)
            token = await installation_token(app.app_id, app.installation_id, key, ctx.clock)
            return Access(username="x-access-token", password=token)
        ssh_key = ""
        if artifact.ssh_key_secret is not None:
            ssh_key = await ctx.secret(artifact.ssh_key_secret)
        return Access(ssh_key=ssh_key, any_host_key=artifact.insecure_ignore_host_key)
