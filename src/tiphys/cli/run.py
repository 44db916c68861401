"""``tiphys run``: everything in these files and folders, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import os
import secrets
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import structlog
import typer

from tiphys.aio import stop
from tiphys.bus.embedded import DEFAULT_SYNC
from tiphys.cli._banner import banner, findings_text
from tiphys.dashboard import api
from tiphys.errors import TiphysError
from tiphys.manifests.findings import Finding
from tiphys.observe import logs
from tiphys.observe.metrics import Metrics
from tiphys.runtime.standalone import Changes, Options, Standalone
from tiphys.runtime.watch import changes
from tiphys.runtime.web import metrics_application, serving
from tiphys.system import is_loopback, write_whole
from tiphys.triggers import Egress

log = structlog.get_logger("argo-events.standalone")
Paths = Annotated[
    list[Path], typer.Argument(metavar="PATH", help="Manifests: files, folders, or -.")
]
DataDir = Annotated[Path, typer.Option(help="Where the embedded bus keeps its data.")]
Namespace = Annotated[str, typer.Option(help="Namespace of objects that name none.")]
SecretsDir = Annotated[
    Path | None, typer.Option(help="Folder with <name>/<key> files for Secrets.")
]
Host = Annotated[str, typer.Option(help="Address on which webhooks and metrics listen.")]
MetricsPort = Annotated[int, typer.Option(help="Port of /metrics.")]
ApiPort = Annotated[int, typer.Option(help="Port of the API.")]
ApiHost = Annotated[
    str, typer.Option(help="Address of the API; anything but the loopback demands a token.")
]
ApiToken = Annotated[
    str, typer.Option(envvar="TIPHYS_API_TOKEN", help="Token of the API; made up if one is needed.")
]
LogFormat = Annotated[
    Literal["auto", "human", "json"], typer.Option(help="How to write log lines.")
]
LogLevel = Annotated[
    Literal["debug", "info", "warn", "error"],
    typer.Option(help="Least level of log lines.", envvar="LOG_LEVEL"),
]
Sync = Annotated[
    str,
    typer.Option(
        help="When the embedded bus forces events to disk: always, or an interval. "
        "Only a power failure can lose what is not there yet."
    ),
]
Compat = Annotated[
    Literal["safe", "strict"],
    typer.Option(
        help="strict: an absent atLeastOnce means false, as in Argo Events: no action is repeated."
    ),
]
AllowExec = Annotated[
    bool, typer.Option("--allow-exec", help="Let manifests run programs on this machine.")
]
EgressAllow = Annotated[
    list[str] | None,
    typer.Option(metavar="NETWORK", help="Network that HTTP actions may always reach."),
]
EgressDeny = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NETWORK",
        help="Network that HTTP actions may not reach; `private` for all that are not public.",
    ),
]
NoHistory = Annotated[
    bool, typer.Option("--no-history", help="Take down nothing for trace and lists.")
]
NoWatch = Annotated[bool, typer.Option("--no-watch", help="Do not reload when files change.")]


def run(
    paths: Paths,
    data_dir: DataDir = Path(".tiphys"),
    namespace: Namespace = "default",
    secrets_dir: SecretsDir = None,
    host: Host = "0.0.0.0",
    metrics_port: MetricsPort = 7777,
    api_port: ApiPort = 7778,
    api_host: ApiHost = "127.0.0.1",
    api_token: ApiToken = "",
    log_format: LogFormat = "auto",
    log_level: LogLevel = "info",
    sync: Sync = DEFAULT_SYNC,
    compat: Compat = "safe",
    allow_exec: AllowExec = False,
    egress_allow: EgressAllow = None,
    egress_deny: EgressDeny = None,
    no_history: NoHistory = False,
    no_watch: NoWatch = False,
) -> None:
    """Run the pipelines of manifests; the bus is embedded unless an EventBus says otherwise."""
    logs.set_up(log_format, log_level)
    options = Options(
        paths=paths,
        namespace=namespace,
        data_dir=data_dir,
        secrets_dir=secrets_dir,
        host=host,
        sync=sync,
        strict=compat == "strict",
        allow_exec=allow_exec,
        egress=Egress.parse(egress_allow or (), egress_deny or ()),
        history=not no_history,
    )
    door = Door(api_host, api_port, api_token)
    with asyncio.Runner(loop_factory=_loop) as runner:
        raise typer.Exit(runner.run(_run(options, metrics_port, door, watch=not no_watch)))


@dataclasses.dataclass(frozen=True)
class Door:
    """Where the API listens, and the token it demands (none: nobody needs one)."""

    host: str
    port: int
    given_token: str

    def token(self, data_dir: Path) -> str:
        """
        The token; away from the loopback there is always one.

        One that was made up is kept in the data directory, readable for its owner only.  Raises
        :exc:`TiphysError` when that cannot be.
        """
        given = self.given_token.strip()
        if given or is_loopback(self.host):
            return given
        path = data_dir / "api-token"
        try:
            token = self._kept(path) or self._made_up(path)
        except OSError as error:
            raise TiphysError(
                f"the token of the API cannot be kept in {path}: {error.strerror}; "
                "give one with --api-token, or in TIPHYS_API_TOKEN"
            ) from error
        typer.echo(f"The API demands the token in {path}: set TIPHYS_API_TOKEN to it.")
        return token

    @staticmethod
    def _kept(path: Path) -> str:
        """The token in *path*; empty if there is none that can be read."""
        try:
            return path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            return ""

    @staticmethod
    def _made_up(path: Path) -> str:
        """A new token, in *path* as a whole or not at all."""
        token = secrets.token_urlsafe(32)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, token)
        return token


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop  # takes a while to import, and other commands do not need it

    return uvloop.new_event_loop()


async def _run(options: Options, metrics_port: int, door: Door, *, watch: bool) -> int:
    """Run until a signal; the exit status."""
    ended = _on_signals()
    metrics = Metrics()
    instance = Standalone(options, metrics)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(
            serving(metrics_application(metrics), options.host, metrics_port, "--metrics-port")
        )
        application = api(instance, door.token(options.data_dir))
        await stack.enter_async_context(serving(application, door.host, door.port, "--api-port"))
        stack.push_async_callback(instance.stop)
        findings = await instance.start()
        _report(findings)
        if not instance.event_sources and not instance.sensors:
            raise TiphysError("there is nothing to run: no EventSource or Sensor is without errors")
        typer.echo(banner(instance, metrics_port, door.host, door.port))
        # Searching everything for garbage stops the program for some 80 ms, every few thousand
        # events.  What is here now stays, and what events need is gone without a search.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)
        watching = asyncio.create_task(_watch(instance)) if watch else None
        await ended.wait()
        log.info("Stopping: finishing what is in hand; a second signal ends at once")
        if watching is not None:
            await stop(watching)
    return 0


def _on_signals() -> asyncio.Event:
    """Set at the first SIGTERM or SIGINT; the second ends the process at once."""
    ended = asyncio.Event()

    def handle() -> None:
        if ended.is_set():
            os._exit(1)
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, handle)
    return ended


async def _watch(instance: Standalone) -> None:
    """Reload whenever a manifest changes."""
    async for _ in changes(instance.options.paths):
        try:
            changed, findings = await instance.reload()
        except TiphysError as error:
            log.error("Reloading failed; everything runs on as it was", error=str(error))  # noqa: TRY400  the message says it all
            continue
        except Exception:  # the next change may be the one that mends it
            log.exception("Reloading failed for an unforeseen reason; the next change tries again")
            continue
        _report(findings)
        _log_changes(changed)


def _report(findings: Iterable[Finding]) -> None:
    if text := findings_text(findings):
        typer.echo(text, err=True)


def _log_changes(changed: Changes) -> None:
    for verb, keys in (
        ("Started", changed.started),
        ("Restarted", changed.restarted),
        ("Stopped", changed.stopped),
    ):
        for kind, namespace, name in keys:
            log.info(f"{verb} {kind} {namespace}/{name}, because its manifest changed")
