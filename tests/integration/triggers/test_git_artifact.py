"""Manifests from Git repositories: on disk, over HTTP and over SSH."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import getpass
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.integration._servers import Server, binary
from tests.integration.triggers.test_artifacts import Impatient
from tiphys.errors import TriggerError
from tiphys.testing.sources import FixedSecrets
from tiphys.triggers import TriggerContext, artifacts
from tiphys.triggers.artifacts import ArtifactLocation, _clone, _github_app, read_manifest

PATH = "ci/job.yaml"


def git(folder: Path, *arguments: str) -> str:
    """What Git prints."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


class Repository:
    """A repository with a work tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "-q", "-b", "master")
        self.git("config", "uploadpack.allowFilter", "true")
        self.commit("one")

    @property
    def url(self) -> str:
        return f"file://{self.path}"

    def git(self, *arguments: str) -> str:
        return git(self.path, "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments)

    def commit(self, kind: str) -> None:
        """A commit whose manifest has *kind*."""
        (self.path / PATH).parent.mkdir(exist_ok=True)
        (self.path / PATH).write_text(f"kind: {kind}\n")
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", kind)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Nothing is remembered from other tests."""
    _clone._known.clear()
    yield
    _clone._known.clear()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repository")


@pytest.fixture
def secrets() -> FixedSecrets:
    return FixedSecrets()


@pytest.fixture
async def ctx(secrets: FixedSecrets) -> AsyncIterator[TriggerContext]:
    async with AsyncExitStack() as stack:
        yield TriggerContext(
            namespace="ns",
            sensor="sn",
            trigger="tr",
            secret=secrets.secret,
            config_map=secrets.config_map,
            tls=secrets.tls,
            stack=stack,
            clock=Impatient(),
        )


async def kind_at(ctx: TriggerContext, url: str, **options: Any) -> Any:
    """The kind of the manifest in a repository."""
    location = {"git": {"url": url, "filePath": PATH, **options}}
    content = await read_manifest(ArtifactLocation.model_validate(location), ctx)
    return json.loads(content)["kind"]


async def test_master_is_read_and_a_new_commit_counts_at_once(
    ctx: TriggerContext, repository: Repository
) -> None:
    before = await kind_at(ctx, repository.url)
    repository.commit("two")

    assert (before, await kind_at(ctx, repository.url)) == ("one", "two")


async def test_a_ref_wins_over_a_tag_and_a_tag_over_a_branch(
    ctx: TriggerContext, repository: Repository
) -> None:
    repository.git("branch", "first")
    repository.commit("two")
    repository.git("tag", "light")
    repository.git("tag", "-a", "heavy", "-m", "a tag object")
    repository.commit("three")
    repository.git("update-ref", "refs/pull/1/head", "HEAD")
    repository.commit("four")
    url = repository.url

    assert await kind_at(ctx, url, branch="first") == "one"
    assert await kind_at(ctx, url, branch="first", tag="light") == "two"
    assert await kind_at(ctx, url, tag="heavy") == "two"
    assert await kind_at(ctx, url, branch="first", tag="heavy", ref="refs/pull/1/head") == "three"


async def test_without_master_the_default_branch_is_read(
    ctx: TriggerContext, repository: Repository
) -> None:
    repository.git("branch", "-m", "main")

    assert await kind_at(ctx, repository.url) == "one"
    with pytest.raises(TriggerError, match="has no refs/heads/master"):
        await kind_at(ctx, repository.url, branch="master")


async def test_a_remote_is_looked_at_first(ctx: TriggerContext, repository: Repository) -> None:
    fork = Repository(repository.path.with_name("fork"))
    fork.commit("forked")
    repository.git("branch", "here")
    remote = {"name": "fork", "urls": [fork.url]}

    for _ in range(2):
        assert await kind_at(ctx, repository.url, remote=remote) == "forked"
    assert await kind_at(ctx, repository.url, remote=remote, branch="here") == "one"


async def test_a_clone_directory_keeps_commits(
    ctx: TriggerContext, repository: Repository, tmp_path: Path
) -> None:
    directory = tmp_path / "kept" / "clone"
    commits = []
    for kind in ("two", "three"):
        repository.commit(kind)
        commits.append(repository.git("rev-parse", "HEAD"))
        assert await kind_at(ctx, repository.url, cloneDirectory=str(directory)) == kind

    assert git(directory, "show", f"{commits[0]}:{PATH}") == "kind: two"


async def test_triggers_that_share_a_clone_directory_wait_for_each_other(
    ctx: TriggerContext, repository: Repository, tmp_path: Path
) -> None:
    names = [f"b{number}" for number in range(6)]
    for name in names:
        repository.git("checkout", "-q", "-b", name)
        repository.commit(name)
    directory = str(tmp_path / "clone")

    kinds = await asyncio.gather(
        *(kind_at(ctx, repository.url, branch=name, cloneDirectory=directory) for name in names)
    )

    assert kinds == names


async def test_a_folder_with_other_files_is_no_clone_directory(
    ctx: TriggerContext, repository: Repository
) -> None:
    directory = repository.path.with_name("other")
    directory.mkdir()
    (directory / "file").write_text("mine")

    with pytest.raises(TriggerError, match="has files and is no Git repository"):
        await kind_at(ctx, repository.url, cloneDirectory=str(directory))
    assert [path.name for path in directory.iterdir()] == ["file"]


async def test_nothing_is_left_behind_without_a_clone_directory(
    ctx: TriggerContext, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    await kind_at(ctx, repository.url)

    assert list(temporary.iterdir()) == []


async def test_links_lead_nowhere(ctx: TriggerContext, repository: Repository) -> None:
    (repository.path / "link").symlink_to("/etc/passwd")
    (repository.path / "folder").symlink_to("ci")
    repository.git("add", "-A")
    repository.git("commit", "-q", "-m", "links")

    for path in ("link", "folder/job.yaml"):
        with pytest.raises(TriggerError, match=f'"{path}" is a symbol link which is not allowed'):
            await kind_at(ctx, repository.url, filePath=path)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("ci/none.yaml", "has no file 'ci/none.yaml'"),
        ("ci", "'ci' is a folder"),
        ("ci/job.yaml/x", "has no file"),
        ("../job.yaml", '".." is not allowed in the filePath'),
    ],
)
async def test_what_is_no_file_is_an_error(
    ctx: TriggerContext, repository: Repository, path: str, message: str
) -> None:
    with pytest.raises(TriggerError, match=message) as caught:
        await kind_at(ctx, repository.url, filePath=path)

    assert not caught.value.retryable


async def test_a_transfer_has_a_limit(
    ctx: TriggerContext, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository.path / "large").write_bytes(os.urandom(100_000))
    repository.commit("large")
    monkeypatch.setattr(_clone, "MAX_PACK", 50_000)

    with pytest.raises(TriggerError, match="the repository has more than 50000 bytes"):
        await kind_at(ctx, repository.url)


async def test_a_place_without_a_repository_is_an_error(
    ctx: TriggerContext, tmp_path: Path
) -> None:
    with pytest.raises(TriggerError, match="there is no repository at file://"):
        await kind_at(ctx, f"file://{tmp_path}/nothing")


async def test_a_missing_library_is_an_error_with_the_command_that_installs_it(
    ctx: TriggerContext, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(artifacts, "_clone")
    monkeypatch.delitem(sys.modules, _clone.__name__)
    monkeypatch.setitem(sys.modules, "dulwich.client", None)

    with pytest.raises(TriggerError, match=r"run: pip install 'tiphys\[dulwich\]'") as caught:
        await kind_at(ctx, repository.url)

    assert not caught.value.retryable


class Backend:
    """Git's own program for HTTP behind a server that may demand a password."""

    def __init__(self, folder: Path, password: str = "", *, user: str = "ada") -> None:
        self.folder = folder
        self.user = user
        self.password = password
        self.requests: list[str] = []

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        app = web.Application(client_max_size=16 << 20)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        self.requests.append(request.path)
        expected = "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        if self.password and request.headers.get("Authorization") != expected:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        body = await request.read()
        process = await asyncio.create_subprocess_exec(
            "git", "http-backend",
            env={
                **os.environ,
                "GIT_PROJECT_ROOT": str(self.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": request.path,
                "QUERY_STRING": request.query_string,
                "REQUEST_METHOD": request.method,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            },
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await process.communicate(body)
        head, _, content = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=content)


async def test_a_commit_is_transferred_once_over_http_and_without_its_history(
    ctx: TriggerContext, repository: Repository, tmp_path: Path
) -> None:
    repository.commit("two")
    repository.commit("three")
    backend = Backend(tmp_path)
    directory = tmp_path / "clone"
    async with backend.running() as address:
        url = f"{address}/repository/.git"
        first = await kind_at(ctx, url, cloneDirectory=str(directory))
        before = len(backend.requests)
        second = await kind_at(ctx, url, cloneDirectory=str(directory))
        asked = len(backend.requests) - before
    objects = git(directory, "cat-file", "--batch-check", "--batch-all-objects")

    assert (first, second) == ("three", "three")
    assert asked < before
    assert sum(" commit " in line for line in objects.splitlines()) == 1


async def test_user_and_password_are_sent_over_http(
    ctx: TriggerContext, repository: Repository, secrets: FixedSecrets, tmp_path: Path
) -> None:
    secrets.values |= {"git/user": "ada", "git/password": "s3cret", "git/wrong": "wr0ng"}
    creds = {"username": {"name": "git", "key": "user"}}
    async with Backend(tmp_path, "s3cret").running() as address:
        url = f"{address}/repository/.git"
        good = {**creds, "password": {"name": "git", "key": "password"}}
        assert await kind_at(ctx, url, creds=good) == "one"

        bad = {**creds, "password": {"name": "git", "key": "wrong"}}
        for given in (bad, None):
            with pytest.raises(TriggerError, match="does not accept the credentials") as caught:
                await kind_at(ctx, url, creds=given)
            assert not caught.value.retryable
            assert "wr0ng" not in str(caught.value)


async def test_a_github_app_gets_a_token_for_the_repository(
    ctx: TriggerContext,
    repository: Repository,
    secrets: FixedSecrets,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secrets.values["app/key"] = pem.decode()
    claims: list[Any] = []

    async def token(request: web.Request) -> web.Response:
        claim = request.headers["Authorization"].removeprefix("Bearer ").split(".")[1]
        claims.append(json.loads(base64.urlsafe_b64decode(claim + "==")))
        return web.json_response({"token": "given"}, status=201)

    app = web.Application()
    app.router.add_post("/app/installations/7/access_tokens", token)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setattr(_github_app, "API", f"http://127.0.0.1:{runner.addresses[0][1]}")
    backend = Backend(tmp_path, "given", user="x-access-token")
    options = {
        "privateKey": {"name": "app", "key": "key"}, "appID": 3, "installationID": 7,
    }  # fmt: skip
    try:
        async with backend.running() as address:
            assert await kind_at(ctx, f"{address}/repository/.git", githubApp=options) == "one"
    finally:
        await runner.cleanup()

    assert claims[0]["iss"] == "3"


class SSHServer(Server):
    """OpenSSH, for the user of the tests, with one key."""

    program = "sshd"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True
            )
        (directory / "authorized").write_text((directory / "user.pub").read_text())
        kind, key, *_ = (directory / "host.pub").read_text().split()
        self.known_hosts = directory / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")

    def arguments(self) -> Sequence[str | Path]:
        configuration = self.directory / "sshd_config"
        configuration.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.directory}/host\n"
            f"AuthorizedKeysFile {self.directory}/authorized\nStrictModes no\nUsePAM no\n"
            f"PasswordAuthentication no\nPidFile none\n"
        )
        return ("-D", "-e", "-f", configuration)

    def _run(self, program: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        if getpass.getuser() == "root":
            Path("/run/sshd").mkdir(exist_ok=True)
        return super()._run(binary(program), *arguments)  # sshd wants its full path


@pytest.fixture(scope="module")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SSHServer]:
    with SSHServer(tmp_path_factory.mktemp("ssh") / "server") as server:
        yield server


async def test_a_repository_is_read_over_ssh_from_a_host_that_is_known(
    ctx: TriggerContext,
    repository: Repository,
    secrets: FixedSecrets,
    ssh_server: SSHServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets.values["git/ssh"] = (ssh_server.directory / "user").read_text().rstrip("\n")
    key = {"sshKeySecret": {"name": "git", "key": "ssh"}}
    url = f"ssh://{getpass.getuser()}@127.0.0.1:{ssh_server.port}{repository.path}"

    monkeypatch.setenv("SSH_KNOWN_HOSTS", os.devnull)
    with pytest.raises(TriggerError, match="Host key verification failed"):
        await kind_at(ctx, url, **key)
    monkeypatch.setenv("SSH_KNOWN_HOSTS", str(ssh_server.known_hosts))

    assert await kind_at(ctx, url, **key) == "one"


async def test_a_host_key_may_be_ignored(
    ctx: TriggerContext,
    repository: Repository,
    secrets: FixedSecrets,
    ssh_server: SSHServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secrets.values["git/ssh"] = (ssh_server.directory / "user").read_text()
    monkeypatch.setenv("SSH_KNOWN_HOSTS", os.devnull)
    url = f"ssh://{getpass.getuser()}@127.0.0.1:{ssh_server.port}{repository.path}"

    kind = await kind_at(
        ctx, url, sshKeySecret={"name": "git", "key": "ssh"}, insecureIgnoreHostKey=True
    )

    assert kind == "one"
