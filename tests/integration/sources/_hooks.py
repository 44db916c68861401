"""What every source that registers hooks with a provider must do."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

import pytest
from structlog.testing import capture_logs

from tests.integration.sources._providers._server import Call, Provider
from tiphys.aio import Clock
from tiphys.sources._shared import hooks
from tiphys.testing.clock import VirtualClock
from tiphys.testing.push_sources import ENDPOINT, SOON, Endpoint, PushSourceContract

ELSEWHERE = "http://127.0.0.1:9"  # nobody answers there
OURS = "http://127.0.0.1:{port}"


async def until(
    condition: Callable[[], bool], clock: VirtualClock | None = None, step: float = 1
) -> None:
    """Wait until something has happened; a clock that is given runs fast meanwhile."""
    async with asyncio.timeout(15):
        while not condition():
            if clock is not None:
                await clock.advance(step)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def silence(port: int) -> AsyncIterator[asyncio.Event]:
    """A server that accepts connections and never answers; the event says that one came."""
    connected = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        with suppress(OSError):
            await reader.read()  # until the other side gives up
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", port)
    try:
        yield connected
    finally:
        server.close()


class HookContract(PushSourceContract):
    """
    The tests of a source that keeps hooks.

    A subclass names a place that the provider has, and says what the manifest needs.
    """

    place: ClassVar[str]
    creates: ClassVar[str] = "POST"

    @abc.abstractmethod
    def provider(self) -> Provider:
        """A server that is not started yet."""

    @abc.abstractmethod
    def managed(self, provider: Provider) -> dict[str, Any]:
        """What the block needs so that the hook at the place is kept."""

    @abc.abstractmethod
    def add_others(self, provider: Provider, count: int) -> None:
        """Put hooks of other people at the place."""

    def full_block(self, port: int, /, **context: Any) -> dict[str, Any]:
        """The port may be part of the URL."""
        if "url" in context:
            context["url"] = context["url"].replace("{port}", str(port))
        return super().full_block(port, **context)

    @asynccontextmanager
    async def registering(
        self, provider: Provider, clock: Clock | None = None, url: str = OURS, **options: Any
    ) -> AsyncIterator[Endpoint]:
        """Run the source so that it registers its endpoint."""
        options = {**self.managed(provider), **options}
        async with self.running(clock=clock, options=options, url=url) as endpoint:
            yield endpoint

    def urls(self, provider: Provider) -> list[str]:
        """The addresses of the hooks at the place."""
        return [provider.address(hook) for hook in provider.hooks[self.place]]

    def _makes_a_hook(self, call: Call) -> bool:
        return call.method == self.creates and not call.path.endswith("/access_tokens")

    async def until_it_knows_its_hook(self, provider: Provider, clock: VirtualClock) -> None:
        """Wait until the source has heard that its hook was made, after which it looks again."""
        await until(lambda: provider.count(self.creates) == 1, clock)
        seen = provider.count("GET")
        await until(lambda: provider.count("GET") > seen, clock)

    async def test_a_hook_is_registered_once_however_many_others_there_are(self) -> None:
        clock = VirtualClock()
        async with self.provider() as provider:
            self.add_others(provider, 230)
            async with self.registering(provider, clock) as endpoint:
                ours = f"http://127.0.0.1:{endpoint.port}{ENDPOINT}"
                await until(lambda: ours in self.urls(provider), clock)
                seen = provider.count("GET")
                await until(lambda: provider.count("GET") > seen + 6, clock)

            assert provider.count(self.creates) == 1
            assert len(self.urls(provider)) == 231
            assert self.urls(provider).count(ours) == 1
            assert endpoint.service.status.error is None

    async def test_a_restart_finds_the_hook_of_the_run_before(self) -> None:
        async with self.provider() as provider:
            for _ in range(2):
                clock = VirtualClock()
                seen = provider.count("GET")
                async with self.registering(provider, clock, ELSEWHERE):
                    await until(lambda seen=seen: provider.count("GET") > seen + 2, clock)  # type: ignore[misc]

            assert provider.count(self.creates) == 1
            assert self.urls(provider) == [ELSEWHERE + ENDPOINT]

    async def test_replicas_that_start_together_end_up_with_one_hook(self) -> None:
        async with self.provider() as provider:
            provider.look_up_together(2)
            async with (
                self.registering(provider, url=ELSEWHERE) as first,
                self.registering(provider, url=ELSEWHERE) as second,
            ):
                await until(lambda: provider.count(self.creates) == 2)
                await until(lambda: provider.count("GET") >= 4 and len(self.urls(provider)) == 1)

            assert self.urls(provider) == [ELSEWHERE + ENDPOINT]
            assert first.service.status.error is second.service.status.error is None

    async def test_a_hook_that_somebody_deleted_comes_back(self) -> None:
        clock = VirtualClock()
        async with self.provider() as provider:
            async with self.registering(provider, clock):
                await until(lambda: bool(self.urls(provider)), clock)
                provider.hooks[self.place].clear()
                await until(lambda: bool(self.urls(provider)), clock)

            assert provider.count(self.creates) == 2

    async def test_while_the_registration_fails_the_endpoint_answers_and_the_status_says_why(
        self,
    ) -> None:
        clock = VirtualClock()
        async with self.provider() as provider:
            provider.fail(502, "<html>Bad Gateway</html>", times=1_000)
            async with self.registering(provider, clock) as endpoint:
                status = endpoint.service.status
                await until(lambda: status.error is not None, clock)
                assert "502" in (status.error or "")
                assert status.ready
                assert (await endpoint.send(self.request(1))).status == 200
                failed = len(provider.calls)
                await until(lambda: len(provider.calls) >= failed + 3, clock)
                assert self.urls(provider) == []

                provider.heal()
                await until(lambda: status.error is None, clock)
                assert len(self.urls(provider)) == 1

        assert 1 in self._numbers(endpoint.bus.published)

    async def test_a_provider_that_is_away_is_tried_until_it_is_there(self) -> None:
        clock = VirtualClock()
        provider = self.provider()
        async with self.registering(provider, clock) as endpoint:
            status = endpoint.service.status
            await until(lambda: status.error is not None, clock)
            assert "cannot be reached: Connection refused" in (status.error or "")
            assert (await endpoint.send(self.request(1))).status == 200
            async with provider:
                await until(lambda: status.error is None and bool(self.urls(provider)), clock)

    async def test_attempts_that_fail_come_at_most_once_a_minute(self) -> None:
        clock = VirtualClock()
        async with self.provider() as provider:
            provider.fail(500, times=1_000)
            async with self.registering(provider, clock):
                await until(lambda: clock.monotonic() > 1200, clock, 5)

            assert 10 <= len(provider.calls) <= 50

    async def test_wrong_credentials_are_an_error_that_does_not_show_them(self) -> None:
        async with self.provider() as provider:
            provider.refusal = lambda call: None  # type: ignore[method-assign]
            provider.fail(401, {"message": "Bad credentials"})
            with capture_logs() as lines:
                async with self.registering(provider, VirtualClock()) as endpoint:
                    await until(lambda: endpoint.service.status.error is not None)
            error = endpoint.service.status.error or ""

        assert "401: Bad credentials" in error
        assert any(line.get("error") == error for line in lines)
        for value in filter(None, self.secrets().values()):
            assert value not in error + repr(lines)

    async def test_a_rate_limit_is_waited_for(self) -> None:
        clock = VirtualClock()
        async with self.provider() as provider:
            provider.fail(429, {"message": "Slow down"}, {"Retry-After": "500"})
            async with self.registering(provider, clock) as endpoint:
                await until(lambda: endpoint.service.status.error is not None)
                await until(lambda: clock.monotonic() > 490, clock, 5)
                assert len(provider.calls) == 1
                assert "rate limit" in (endpoint.service.status.error or "")
                await until(lambda: bool(self.urls(provider)), clock)
                assert clock.monotonic() >= 500

    async def test_hooks_are_deleted_at_the_end_when_the_manifest_says_so(self) -> None:
        clock = VirtualClock()
        async with self.provider() as provider:
            self.add_others(provider, 1)
            async with self.registering(provider, clock, deleteHookOnFinish=True) as endpoint:
                ours = f"http://127.0.0.1:{endpoint.port}{ENDPOINT}"
                await self.until_it_knows_its_hook(provider, clock)
                assert ours in self.urls(provider)

            assert len(self.urls(provider)) == 1
            assert ours not in self.urls(provider)

    async def test_a_hook_that_cannot_be_deleted_does_not_keep_the_source_from_stopping(
        self,
    ) -> None:
        clock = VirtualClock()
        async with self.provider() as provider:
            with capture_logs() as lines:
                async with self.registering(provider, clock, deleteHookOnFinish=True):
                    await self.until_it_knows_its_hook(provider, clock)
                    provider.fail(500, times=1_000)

            assert len(self.urls(provider)) == 1
        assert any(line["event"] == "A hook was left behind" for line in lines)

    async def test_a_stop_while_a_hook_is_made_leaves_none_behind(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hooks, "MAKING", 30.0)
        monkeypatch.setattr(hooks, "LOOK", 0.0)
        async with self.provider() as provider:
            with provider.holding(self._makes_a_hook) as released:
                async with self.registering(provider, deleteHookOnFinish=True) as endpoint:
                    await until(lambda: bool(self.urls(provider)))
                    endpoint.service.stop()
                    released.set()  # the answer comes when the source is about to stop

            assert self.urls(provider) == []
            assert provider.count("DELETE") == 1

    async def test_a_hook_whose_making_is_never_answered_is_looked_for_at_the_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hooks, "MAKING", 0.05)
        monkeypatch.setattr(hooks, "LOOK", 30.0)
        async with self.provider() as provider:
            with provider.holding(self._makes_a_hook):
                async with self.registering(provider, deleteHookOnFinish=True):
                    await until(lambda: bool(self.urls(provider)))

            assert self.urls(provider) == []

    async def test_a_provider_that_falls_silent_while_a_hook_is_made_does_not_keep_it_from_stopping(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for bound in ("MAKING", "LOOK"):
            assert getattr(hooks, bound) < SOON / 2
            monkeypatch.setattr(hooks, bound, 0.05)
        async with self.provider() as provider:
            with (
                capture_logs() as lines,
                provider.holding(lambda _: bool(self.urls(provider))),
            ):
                async with self.registering(provider, deleteHookOnFinish=True):
                    await until(lambda: bool(self.urls(provider)))

        (line,) = [line for line in lines if line["event"] == "Hooks were left behind"]
        assert line["error"] == "no time"
        assert len(line["places"]) == 1

    async def test_a_provider_that_never_answers_does_not_keep_it_from_stopping(self) -> None:
        provider = self.provider()
        async with silence(provider.port) as connected, self.registering(provider) as endpoint:
            await connected.wait()
            assert (await endpoint.send(self.request(1))).status == 200

    async def test_hooks_stay_at_the_end_otherwise(self) -> None:
        clock = VirtualClock()
        async with self.provider() as provider:
            async with self.registering(provider, clock):
                await until(lambda: bool(self.urls(provider)), clock)

            assert provider.count("DELETE") == 0
            assert len(self.urls(provider)) == 1

    async def test_without_the_url_of_the_endpoint_nothing_is_registered(self) -> None:
        async with self.provider() as provider:
            async with self.running(options=self.managed(provider)) as endpoint:
                assert (await endpoint.send(self.request(1))).status == 200
                await asyncio.sleep(0.1)

            assert provider.calls == []
