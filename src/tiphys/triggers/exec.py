"""
Exec (extension): runs a local program, with the payload on its standard input.

Off unless the program was started with ``--allow-exec``, because whoever may change manifests could
otherwise run anything on this machine.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, STDOUT, Process

from pydantic import Field

from tiphys.errors import TriggerError
from tiphys.manifests.common import Duration, Parameter, TriggerConfig
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared.processes import ended, environment, feed, tail

KEPT = 4096  # last bytes of the output that are shown


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
                    tail(process.stdout, KEPT), feed(process, firing.payload or b"")
                )
                await process.wait()
        except TimeoutError as error:
            message = f"{config.command[0]} did not end within {config.timeout:g} s"
            raise TriggerError(message) from error
        finally:
            await ended(process)
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
        try:
            return await asyncio.create_subprocess_exec(
                *config.command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=STDOUT,
                env=environment(firing.action_id, config.env),
                cwd=config.working_directory or None,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            message = f"cannot run {config.command[0]}: {error}"
            raise TriggerError(message, retryable=False) from error
