"""
Python (extension): runs a function, or a few lines, in a process of its own.

Off unless the program was started with ``--allow-exec``, because whoever may change manifests could
otherwise run anything on this machine.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from tiphys.errors import TriggerError
from tiphys.events import CloudEvent
from tiphys.manifests.common import Duration, Parameter, TriggerConfig
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared import python_worker
from tiphys.triggers._shared.processes import ended, environment, feed, tail

WORKER = Path(python_worker.__file__)
KEPT = 64 * 1024  # last bytes of what is printed, and the most that a result may have
SHOWN = 256  # characters of an error that are kept for people
MEBIBYTE = 1 << 20


class Config(TriggerConfig):
    """Options of the python trigger."""

    function: str = Field(
        "",
        description="What to call, with the events by dependency and the payload, if there is one.",
        examples=["builds:start"],
    )
    code: str = Field(
        "",
        description="Or what to run: it finds `events` and `payload`, and sets `result`.",
    )
    paths: list[str] = Field([], description="Directories in which modules are found first.")
    env: dict[str, str] = Field({}, description="Environment of the process, beside `PATH`.")
    timeout: Duration = Field(60.0, description="How long it may run; the default is `1m`.")
    memory: int = Field(512, gt=0, description="How many MiB it may use, beside the interpreter.")
    payload: list[Parameter] | None = Field(
        None, description="Values that make up the second argument."
    )


@trigger("python", log_name="Python")
class Python(Trigger[Config]):
    """Starts a process per firing and waits for it."""

    async def start(self, ctx: TriggerContext) -> None:
        """Refuse unless local programs are allowed."""
        await super().start(ctx)
        if not ctx.allow_exec:
            raise TriggerError(
                "python triggers are off; start tiphys with --allow-exec to let manifests run "
                "code on this machine",
                retryable=False,
            )

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Run the action; an exception that it raises is a failure."""
        config = firing.config
        if problems := self.check(config):
            raise TriggerError(problems[0], retryable=False)
        name = config.function or "the code"
        process = await _started(firing)
        try:
            async with asyncio.timeout(config.timeout):
                result, printed, _ = await asyncio.gather(
                    tail(process.stdout, KEPT + 1),
                    tail(process.stderr, KEPT),
                    feed(process, _task(firing)),
                )
                await process.wait()
        except TimeoutError as error:
            raise TriggerError(f"{name} did not end within {config.timeout:g} s") from error
        finally:
            await ended(process)
        if process.returncode:
            raise _failure(name, process.returncode, printed)
        if len(result) > KEPT:
            message = f"the result of {name} is larger than {KEPT} bytes"
            raise TriggerError(message, retryable=False)
        return Outcome(status=0, detail=result.decode())

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """There must be one thing to run."""
        if bool(config.function) == bool(config.code):
            return ["either function or code must be given"]
        module, colon, name = config.function.partition(":")
        if config.function and not (module and colon and name.isidentifier()):
            return [f"function must be of the form module:function, not {config.function!r}"]
        return []


async def _started(firing: Firing[Config]) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(WORKER),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=environment(firing.action_id, firing.config.env),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise TriggerError(f"cannot run {sys.executable}: {error}") from error


def _task(firing: Firing[Config]) -> bytes:
    """What the worker reads."""
    config = firing.config
    payload = firing.payload if config.payload is not None else None
    return orjson.dumps(
        {
            "function": config.function,
            "code": config.code,
            "paths": config.paths,
            "memory": config.memory * MEBIBYTE,
            "events": {name: _event(event) for name, event in firing.events.items()},
            "payload": None if payload is None else _value(payload),
        }
    )


def _event(event: CloudEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "source": event.source,
        "subject": event.subject,
        "type": event.type,
        "time": event.time,
        "datacontenttype": event.datacontenttype,
        "data": None if event.data is None else _value(event.data),
    }


def _value(data: bytes) -> Any:
    """JSON as what it means, anything else as text."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return data.decode(errors="replace")


def _failure(name: str, status: int, printed: bytes) -> TriggerError:
    """The last line of what was printed, which is the exception."""
    lines = printed.decode(errors="replace").strip().splitlines()
    reason = lines[-1][:SHOWN] if lines else f"status {status}"
    verb = "cannot be run" if status == python_worker.UNUSABLE else "failed"
    return TriggerError(f"{name} {verb}: {reason}", retryable=status != python_worker.UNUSABLE)
