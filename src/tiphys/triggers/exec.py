"""
Exec (extension): runs a local program, with the payload on its standard input.

Off unless the program was started with ``--allow-exec``, because whoever may change manifests could
otherwise run anything on this machine.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, STDOUT, Process

from pydantic import Field

from tiphys.errors import TriggerError
from tiphys.manifests.common import Duration, Parameter, TriggerConfig
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger

KEPT = 4096  # last bytes of the output that are shown
PASSED_ON = ("PATH", "HOME", "LANG", "TZ")  # of our environment; the rest may hold secrets
GRACE = 5.0  # seconds between asking the program to end and ending it


class Config(TriggerConfig):
    """Options of the exec trigger."""

    command: list[str] = Field([], description="Program and arguments; no shell is involved.")
    env: dict[str, str] = Field({}, description="Environment of the program, beside `PATH`.")
    working_directory: str = Field("", description="Where it runs; here when empty.")
    timeout: Duration = Field(60.0, description="How long it may run; the default is `1m`.")
    payload: list[Parameter] | None = Field(
        None, description="Values that make up the JSON document on its standard input."
    )


@trigger("exec", log_name="Exec")
class Exec(Trigger[Config]):
    """Starts a program per firing and waits for it."""

    async def start(self, ctx: TriggerContext) -> None:
        """Refuse unless local programs are allowed."""
        await super().start(ctx)
        if not ctx.allow_exec:
            raise TriggerError(
                "exec triggers are off; start tiphys with --allow-exec to let manifests run "
                "programs on this machine",
                retryable=False,
            )

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Run the program; an exit status other than 0 is a failure."""
        config = firing.config
        process = await self._started(firing)
        try:
            async with asyncio.timeout(config.timeout):
                output, _ = await asyncio.gather(
                    _tail(process), _feed(process, firing.payload or b"")
                )
                await process.wait()
        except TimeoutError as error:
            message = f"{config.command[0]} did not end within {config.timeout:g} s"
            raise TriggerError(message) from error
        finally:
            await _ended(process)
        shown = output.decode(errors="replace").strip()
        if process.returncode:
            raise TriggerError(
                f"{config.command[0]} ended with status {process.returncode}: {shown[-256:]}"
            )
        return Outcome(status=0, detail=shown)

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """There must be a program."""
        return [] if config.command else ["command must name a program"]

    async def _started(self, firing: Firing[Config]) -> Process:
        config = firing.config
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= {"TIPHYS_ACTION_ID": firing.action_id, **config.env}
        try:
            return await asyncio.create_subprocess_exec(
                *config.command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=STDOUT,
                env=environment,
                cwd=config.working_directory or None,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            message = f"cannot run {config.command[0]}: {error}"
            raise TriggerError(message, retryable=False) from error


async def _feed(process: Process, payload: bytes) -> None:
    """Write the standard input; a program that does not read it is no error."""
    assert process.stdin is not None
    try:
        process.stdin.write(payload)
        await process.stdin.drain()
    except ConnectionError:
        return
    finally:
        process.stdin.close()


async def _tail(process: Process) -> bytes:
    """The last bytes of the output, however long it is."""
    assert process.stdout is not None
    tail = b""
    while chunk := await process.stdout.read(64 * 1024):
        tail = (tail + chunk)[-KEPT:]
    return tail


async def _ended(process: Process) -> None:
    """Make sure that neither the program nor what it started lives on."""
    if process.returncode is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
                return
        except TimeoutError:
            continue
