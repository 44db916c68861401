"""
Reads one file of a Git repository; everything here blocks and belongs into a thread.

The file is taken from the objects, nothing is checked out: neither links nor hooks of a repository
can do anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import stat
import subprocess
import tempfile
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import urllib3
from dulwich.client import (
    GitClient,
    HttpGitClient,
    HTTPUnauthorized,
    SSHGitClient,
    get_transport_and_path,
)
from dulwich.config import ConfigDict
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.objects import S_ISGITLINK, Blob, Commit, ObjectID, Tag, Tree
from dulwich.repo import Repo

from tiphys.errors import TriggerError
from tiphys.system import without_login
from tiphys.triggers.artifacts._limits import MAX_BYTES, too_large

MAX_PACK = 512 * 1024 * 1024  # bytes of a repository that are transferred
TRANSFER = 150.0  # seconds for it
SILENCE = 30  # seconds without a byte
REMEMBERED = 16  # files of commits

_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
_known: OrderedDict[tuple[str, bytes, str], bytes] = OrderedDict()


@dataclasses.dataclass(frozen=True)
class Access:
    """Who we are to the server; *any_host_key* is for SSH."""

    username: str | None = None
    password: str | None = dataclasses.field(default=None, repr=False)
    ssh_key: str = dataclasses.field(default="", repr=False)
    any_host_key: bool = False


def content(
    addresses: Sequence[str], refs: Sequence[str], path: str, access: Access, directory: str
) -> bytes:
    """
    The file at *path* in the first of *refs* that the first of *addresses* to have one has.

    Raises :exc:`TriggerError`.
    """
    for address in addresses:
        with _failures(address), _client(address, access) as (client, place):
            names = [ref.encode() for ref in refs]
            found = client.get_refs(place.encode(), ref_prefix=names).refs  # big ones have 100,000
            for name in names:
                if (commit := found.get(name)) is not None:  # type: ignore[call-overload]  # a kind of bytes
                    return _remembered(client, place, address, commit, path, directory)
    raise TriggerError(f"{without_login(addresses[-1])} has no {refs[0]}", retryable=False)


def _remembered(
    client: GitClient, place: str, address: str, commit: ObjectID, path: str, directory: str
) -> bytes:
    """The file, without a transfer where it was read from this commit before."""
    key = (address, bytes(commit), path)
    text = _known.get(key)
    if text is None:
        with _repository(directory) as repository:
            if commit not in repository.object_store:
                _transfer(client, place, repository, commit)
            text = _file(repository, commit, path)
        _known[key] = text
        while len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return text


@contextlib.contextmanager
def _repository(directory: str) -> Iterator[Repo]:
    """A repository to read into: one that is kept in *directory*, or one for the moment."""
    if not directory:
        with (
            tempfile.TemporaryDirectory(prefix="tiphys-git-") as temporary,
            contextlib.closing(Repo.init_bare(temporary)) as repository,
        ):
            yield repository
        return
    with _locks[os.path.realpath(directory)]:
        try:
            repository = Repo(directory)
        except NotGitRepository:
            Path(directory).mkdir(parents=True, exist_ok=True)
            if any(Path(directory).iterdir()):
                message = f"the cloneDirectory {directory} has files and is no Git repository"
                raise TriggerError(message, retryable=False) from None
            repository = Repo.init_bare(directory)
        with contextlib.closing(repository):
            yield repository


def _transfer(client: GitClient, place: str, repository: Repo, commit: ObjectID) -> None:
    """Fetch *commit* without its history."""
    deadline = time.monotonic() + TRANSFER
    with tempfile.TemporaryFile() as pack:

        def write(data: bytes) -> int:
            if pack.tell() + len(data) > MAX_PACK:
                raise too_large("the repository", MAX_PACK)
            if time.monotonic() > deadline:
                raise TriggerError(f"the repository was not transferred within {TRANSFER:g} s")
            return pack.write(data)

        result = client.fetch_pack(
            place,
            lambda _refs, depth=None: [commit],
            repository.get_graph_walker(),
            write,
            depth=1,
        )
        if pack.tell():
            pack.seek(0)
            repository.object_store.add_thin_pack(pack.read, None)
    repository.update_shallow(result.new_shallow, result.new_unshallow)


def _file(repository: Repo, commit: ObjectID, path: str) -> bytes:
    found = repository[commit]
    while isinstance(found, Tag):
        found = repository[found.object[1]]
    if not isinstance(found, Commit):
        raise TriggerError("the ref is not one of a commit", retryable=False)
    found, mode = repository[found.tree], stat.S_IFDIR
    for part in [part for part in path.split("/") if part not in ("", ".")]:
        if not isinstance(found, Tree) or part.encode() not in found:
            raise TriggerError(f"the repository has no file {path!r}", retryable=False)
        mode, sha = found[part.encode()]
        if stat.S_ISLNK(mode):
            message = f'"{path}" is a symbol link which is not allowed'
            raise TriggerError(message, retryable=False)
        if S_ISGITLINK(mode):
            message = f"{path!r} is in a submodule, which is not read; name its repository instead"
            raise TriggerError(message, retryable=False)
        found = repository[sha]
    if not isinstance(found, Blob):
        raise TriggerError(f"{path!r} is a folder", retryable=False)
    if found.raw_length() > MAX_BYTES:
        raise too_large(f"the file {path!r}")
    return found.data


@contextlib.contextmanager
def _client(address: str, access: Access) -> Iterator[tuple[GitClient, str]]:
    """A client of the repository, and its path there; settings of Git do not count."""
    config = ConfigDict()
    config.set((b"http",), b"timeout", str(SILENCE).encode())
    with _key_file(access.ssh_key) as key:
        over_http = address.lower().startswith("http")
        client, place = get_transport_and_path(
            address,
            config=config,
            operation="pull",
            quiet=True,
            username=access.username if over_http else _user(address),
            password=access.password if over_http else None,
            key_filename=key,
            ssh_command=_ssh_command(access),
        )
        with _closing(client):
            yield client, place


@contextlib.contextmanager
def _closing(client: GitClient) -> Iterator[None]:
    """Close the connections that *client* opens; it leaves those of failed requests open."""
    with contextlib.ExitStack() as stack:

        def kept(open_: Callable[..., Any], closing: Callable[[Any], Any]) -> Callable[..., Any]:
            def opened(*arguments: Any, **options: Any) -> Any:
                connection = open_(*arguments, **options)
                stack.callback(closing, connection)
                return connection

            return opened

        if isinstance(client, HttpGitClient):
            pool = client.pool_manager
            stack.callback(pool.clear)
            pool.request = kept(  # type: ignore[method-assign]
                pool.request, lambda response: response.close()
            )
        if isinstance(client, SSHGitClient):
            client._connect = kept(  # type: ignore[method-assign]
                client._connect, lambda connection: connection[0].close()
            )
        yield


def _user(address: str) -> str | None:
    """The user for SSH where the address names none."""
    has_user = "@" in address.partition("://")[2].partition("/")[0] or "@" in address.split(":")[0]
    return None if has_user else "git"


def _ssh_command(access: Access) -> str:
    options = {"BatchMode": "yes", "ConnectTimeout": "15", "ServerAliveInterval": "10"}
    if access.ssh_key:
        options["IdentitiesOnly"] = "yes"
    if access.any_host_key:
        options |= {"StrictHostKeyChecking": "no", "UserKnownHostsFile": os.devnull}
    else:
        options["StrictHostKeyChecking"] = "yes"
        if files := os.environ.get("SSH_KNOWN_HOSTS"):
            options["UserKnownHostsFile"] = files.replace(os.pathsep, " ")
    arguments = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    return shlex.join(["ssh", *arguments])


@contextlib.contextmanager
def _key_file(key: str) -> Iterator[str | None]:
    """The private key in a file that only we can read."""
    if not key:
        yield None
        return
    with tempfile.NamedTemporaryFile("w", prefix="tiphys-key-") as file:  # mode 0600
        file.write(key if key.endswith("\n") else f"{key}\n")
        file.flush()
        yield file.name


@contextlib.contextmanager
def _failures(address: str) -> Iterator[None]:
    """Say in words what is wrong with a repository."""
    place = without_login(address)
    try:
        yield
    except HTTPUnauthorized as error:
        raise TriggerError(f"{place} does not accept the credentials", retryable=False) from error
    except NotGitRepository as error:
        raise TriggerError(f"there is no repository at {place}", retryable=False) from error
    except HangupException as error:
        said = b" ".join(error.stderr_lines or ()).decode(errors="replace").strip()
        raise TriggerError(f"{place} ended the connection: {said or error}") from error
    except (
        GitProtocolError,
        urllib3.exceptions.HTTPError,
        subprocess.SubprocessError,
        OSError,
        ValueError,
        KeyError,
        AssertionError,
    ) as error:
        raise TriggerError(f"cannot read {place}: {error or type(error).__name__}") from error
