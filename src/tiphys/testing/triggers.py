"""What every trigger must do, whatever its target."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, ClassVar

import pytest
import structlog

from tiphys.aio import Clock, SystemClock, stop
from tiphys.errors import ManifestError, ParameterError, TriggerError
from tiphys.events import JSON, CloudEvent
from tiphys.manifests.common import unknown_keys
from tiphys.manifests.sensor import Trigger as TriggerManifest
from tiphys.sensors.event import Event
from tiphys.sensors.plan import plan_action
from tiphys.sensors.rendering import Renderer
from tiphys.testing.sources import FixedSecrets
from tiphys.triggers import Egress, Outcome, Trigger, TriggerContext, triggers

PATIENCE = 10.0  # seconds within which whatever must happen has happened
EVENT = CloudEvent(
    id="event-1",
    source="es",
    subject="ev",
    type="webhook",
    time="2026-01-01T00:00:00Z",
    datacontenttype=JSON,
    data=b'{"n":7,"text":"hello"}',
)


class Target(abc.ABC):
    """A running target (real, or a faithful fake) of a trigger."""

    def __init__(self) -> None:
        self.secrets = FixedSecrets()
        self.allow_exec = False
        self.egress = Egress()
        self.clock: Clock = SystemClock()

    @abc.abstractmethod
    def block(self) -> dict[str, Any]:
        """The manifest block that reaches it and carries ``n`` of the event."""

    @abc.abstractmethod
    async def received(self) -> Sequence[Any]:
        """What it got so far, one entry an action."""

    def unreachable(self) -> dict[str, Any] | None:
        """A block that leads nowhere; None where there is no such thing."""
        return None

    def refused(self) -> dict[str, Any] | None:
        """A block that the target refuses for good; None where it refuses nothing."""
        return None

    async def stall(self) -> None:
        """Make the target take for ever; overridden where it can."""
        raise AssertionError("say in `never_stalls` why this target cannot take for ever")


class Running:
    """A trigger as the engine runs it."""

    def __init__(self, trigger: Trigger[Any], renderer: Renderer) -> None:
        self.trigger = trigger
        self._renderer = renderer

    async def fire(self, event: CloudEvent = EVENT, action_id: str = "action-1") -> Outcome:
        """Render and perform one action for *event*, which came as dependency ``dep``."""
        firing = await self._renderer.render("ns", "sn", action_id, {"dep": Event(event)})
        return await self.trigger.fire(firing)


class TriggerContract(abc.ABC):
    """
    The tests of a trigger.

    A subclass names the manifest key and starts the target.  What the target cannot do is declared
    with the reason, which becomes the reason of the skip.
    """

    key: ClassVar[str]
    always_reachable: ClassVar[str | None] = None
    refuses_nothing: ClassVar[str | None] = None
    never_stalls: ClassVar[str | None] = None

    @abc.abstractmethod
    def target(self) -> AbstractAsyncContextManager[Target]:
        """Start the target; everything it got is fresh."""

    @contextlib.asynccontextmanager
    async def running(
        self, target: Target, block: dict[str, Any] | None = None
    ) -> AsyncIterator[Running]:
        """The trigger, started, until the context is left."""
        manifest = _manifest(self.key, target.block() if block is None else block)
        trigger = triggers.get(self.key)()
        async with AsyncExitStack() as stack:
            await trigger.start(
                TriggerContext(
                    namespace="ns",
                    sensor="sn",
                    trigger="tr",
                    secret=target.secrets.secret,
                    config_map=target.secrets.config_map,
                    tls=target.secrets.tls,
                    stack=stack,
                    allow_exec=target.allow_exec,
                    egress=target.egress,
                    clock=target.clock,
                )
            )
            yield Running(trigger, Renderer(plan_action(manifest), trigger))

    async def test_it_acts_once_for_each_firing(self) -> None:
        async with self.target() as target, self.running(target) as running:
            for number in range(3):
                await running.fire(action_id=f"action-{number}")

            assert len(await _settled(target, 3)) == 3

    async def test_an_unreachable_target_is_an_error_worth_another_try(self) -> None:
        if self.always_reachable:
            pytest.skip(self.always_reachable)
        async with self.target() as target, self.running(target, target.unreachable()) as running:
            with pytest.raises(TriggerError) as caught:
                await running.fire()

        assert caught.value.retryable

    async def test_a_refusal_is_an_error_that_another_try_does_not_mend(self) -> None:
        if self.refuses_nothing:
            pytest.skip(self.refuses_nothing)
        async with self.target() as target, self.running(target, target.refused()) as running:
            with pytest.raises(TriggerError) as caught:
                await running.fire()

        assert not caught.value.retryable

    async def test_it_closes_what_it_opened(self) -> None:
        before: set[asyncio.Task[Any]] = asyncio.all_tasks()
        async with self.target() as target:
            async with self.running(target) as running:
                await running.fire()
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)

        assert asyncio.all_tasks() <= before

    async def test_it_can_be_cancelled_while_it_acts(self) -> None:
        if self.never_stalls:
            pytest.skip(self.never_stalls)
        async with self.target() as target, self.running(target) as running:
            await target.stall()
            task = asyncio.create_task(running.fire())
            await asyncio.sleep(0.2)
            assert not task.done()

            assert await stop(task, limit=2)

    async def test_secrets_are_neither_logged_nor_returned(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with structlog.testing.capture_logs() as lines:
            async with self.target() as target, self.running(target) as running:
                outcome = await running.fire()
                values = [value for value in target.secrets.values.values() if len(value) > 3]
        seen = f"{outcome!r} {lines!r} {caplog.text}"

        assert not [value for value in values if value in seen]

    async def test_a_misspelt_option_is_reported_by_name(self) -> None:
        async with self.target() as target:
            config = triggers.get(self.key).Config.model_validate(
                {**target.block(), "noSuchOption": 1}
            )

        assert unknown_keys(config) == ["noSuchOption"]

    async def test_options_of_the_wrong_type_are_found_before_it_runs(self) -> None:
        cls = triggers.get(self.key)
        async with self.target() as target:
            for name, field in cls.Config.model_fields.items():
                block = {**target.block(), field.alias or name: [["neither"]]}
                with pytest.raises((ParameterError, ManifestError)):
                    Renderer(plan_action(_manifest(self.key, block)), cls())


def _manifest(key: str, block: dict[str, Any]) -> TriggerManifest:

    return TriggerManifest.model_validate({"template": {"name": "tr", key: block}})


async def _settled(target: Target, count: int) -> Sequence[Any]:
    """What the target got, once that is *count* or nothing more comes."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while len(got := await target.received()) < count:
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.02)
    return got
