"""Runs one push source: its endpoint, and the answer to each request."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote

from tiphys.aio import capped_backoff
from tiphys.errors import (
    BusUnavailable,
    EventTooLarge,
    ManifestError,
    MissingExtraError,
    PublishError,
    SecretError,
    TiphysError,
)
from tiphys.ingest import (
    Admission,
    IngestServer,
    Mount,
    Refused,
    Reply,
    Request,
    ServerTLS,
    server_tls,
)
from tiphys.ingest.bursts import Bursts
from tiphys.ingest.guards import covered_by, guards_of
from tiphys.observe.metrics import Metrics
from tiphys.sources._base import Incoming, PushSource, SourceContext
from tiphys.sources._dispatch import Dispatcher
from tiphys.sources._waiting import end, first, unless

T = TypeVar("T")

NOT_STORED = b"failed to record event"
UNAVAILABLE = Reply(503, NOT_STORED, {"retry-after": "5"})
NOT_RECORDED = Reply(500, NOT_STORED)
TOO_LARGE = Reply(413, b"the event is bigger than the event bus takes")
BROKEN = Reply(500, b"internal error")
LONGEST_HEADER = 4096  # characters; many clients give up at 8190
PLAIN = "".join(map(chr, range(0x20, 0x7F))).replace(",", "")  # what an id shows as it is


class PushService:
    """
    One event service of a source whose events are requests.

    The sender gets its answer when the bus has all events of the request, or did not take one of
    them; the answer names their ids.
    """

    def __init__(
        self,
        source: PushSource[Any],
        ctx: SourceContext,
        dispatcher: Dispatcher,
        ingest: IngestServer,
        metrics: Metrics,
    ) -> None:
        self.status = dispatcher.status
        self._source = source
        self._ctx = dataclasses.replace(ctx, report=self._report)
        self._dispatcher = dispatcher
        self._ingest = ingest
        self._log = dispatcher.log
        self._stopping = asyncio.Event()
        self._bursts = Bursts(ctx.clock)
        labels = (ctx.namespace, ctx.event_source, ctx.event_name)
        self._refusals = metrics.requests_refused
        self._labels = labels
        webhook = source.webhook
        self.status.endpoint = f":{webhook.port}{webhook.endpoint}"

    def stop(self) -> None:
        """Take no more requests; :meth:`run` ends when those on their way are answered."""
        self._stopping.set()

    async def run(self) -> None:
        """
        Answer requests until :meth:`stop`.

        What may work later is tried again: a port in use, a missing Secret, a hook that the
        provider does not accept.  Raises :exc:`ManifestError` when the manifest is wrong.
        """
        mount = await self._insist(self._mount)
        if mount is None:
            return
        try:
            async with AsyncExitStack() as stack:
                await self._insist(self._check_keys)
                await self._insist(lambda: stack.enter_async_context(self._active()))
                self.status.ready = not self._stopping.is_set()
                await self._stopping.wait()
        finally:
            self.status.ready = False
            await mount.close()

    async def answer(self, request: Request) -> Reply:
        """The answer to one request."""
        try:
            received = await self._source.receive(request, self._ctx)
            if isinstance(received, Reply):
                return received
            if isinstance(received, Incoming):
                ids = [await self._store(self._identified(received, request))]
            else:
                ids = await self._store_all(received)
            return self._source.accepted(request, _naming(ids))
        except Refused as refused:
            return self._refuse(refused, request)
        except BusUnavailable:
            self._dispatcher.failed()
            return UNAVAILABLE
        except EventTooLarge:
            return TOO_LARGE
        except PublishError:
            return NOT_RECORDED
        except Exception:  # noqa: BLE001 - one request's bug must not stop the others
            self._log.error("A request could not be processed", exc_info=True)
            self._dispatcher.failed()
            return BROKEN

    def _identified(self, incoming: Incoming, request: Request) -> Incoming:
        """
        The event with an id that a repetition of the same signed request shares.

        So the bus drops what somebody recorded and sends again, and a sender that repeats a request
        because it saw no answer does no harm.
        """
        signed = self._source.webhook.hmac
        if incoming.id is not None or signed is None or not signed.timestamp_header:
            return incoming
        ctx = self._ctx
        # Not of the signature: the same one can be written in several ways.
        mark = hashlib.sha256(covered_by(signed, request)).hexdigest()[:32]
        return dataclasses.replace(incoming, id=f"{ctx.event_source}:{ctx.event_name}:{mark}")

    async def _store(self, incoming: Incoming) -> str | None:
        """Publish one event and settle it; return its id, None when the filter dropped it."""
        try:
            id = await self._dispatcher.send(incoming)
        except TiphysError:
            await incoming.nack()
            raise
        await incoming.ack()
        return id

    async def _store_all(self, events: Sequence[Incoming]) -> list[str | None]:
        """Publish the events of one request at once; the request fails when one of them does."""
        outcomes = await asyncio.gather(*map(self._store, events), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for failure in failures:
            if isinstance(failure, BusUnavailable):
                raise failure
        if failures:
            raise failures[0]
        return [outcome for outcome in outcomes if isinstance(outcome, str)]

    async def _mount(self) -> Mount:
        webhook, ctx = self._source.webhook, self._ctx
        before, after = guards_of(webhook, ctx.secret, ctx.clock)
        if not webhook.endpoint.startswith("/"):
            self._log.warning(
                "The endpoint does not begin with a slash, so no request reaches it",
                endpoint=webhook.endpoint,
            )
        admission = Admission(
            before,
            after,
            self._source.limit,
            self._too_large,
            self._note_refusal,
            self._source.inactive,
        )
        owner = f"event source {ctx.event_source!r}, event {ctx.event_name!r}"
        tls = await self._tls()
        return await self._ingest.mount(
            webhook.port, webhook.endpoint, tls, self.answer, admission=admission, owner=owner
        )

    async def _check_keys(self) -> None:
        """Raise :exc:`SecretError` for a key without which nobody can be let in."""
        webhook = self._source.webhook
        signed = webhook.hmac.secret if webhook.hmac else None
        own = self._source.keys()
        keys = {"authSecret": webhook.auth_secret, "hmac.secret": signed, **own}
        for option, ref in keys.items():
            if ref is None:
                continue
            try:
                value = await self._ctx.secret(ref)
            except SecretError as error:
                raise SecretError(f"`{option}`: {error}") from error
            if not value:
                raise SecretError(
                    f"`{option}`: the key {ref.key!r} of the Secret {ref.name!r} is empty, "
                    "so anybody could send"
                )

    async def _tls(self) -> ServerTLS | None:
        webhook = self._source.webhook
        if webhook.server_cert_secret is None or webhook.server_key_secret is None:
            if webhook.server_cert_secret or webhook.server_key_secret:
                self._log.warning("Without both certificate and key the endpoint is not encrypted")
            return None
        certificate = await self._ctx.secret(webhook.server_cert_secret)
        return server_tls(certificate, await self._ctx.secret(webhook.server_key_secret))

    @asynccontextmanager
    async def _active(self) -> AsyncIterator[None]:
        """What the source keeps elsewhere while the endpoint answers; leaving it cannot fail."""
        active = self._source.active(self._ctx)
        await active.__aenter__()
        try:
            yield
        finally:
            try:
                await active.__aexit__(None, None, None)
            except Exception:  # noqa: BLE001 - the endpoint goes in any case
                self._log.warning(
                    "What belongs to the endpoint could not be removed", exc_info=True
                )

    async def _insist(self, attempt: Callable[[], Awaitable[T]]) -> T | None:
        """Make *attempt* until it works; None when the service is stopping meanwhile."""
        pauses = capped_backoff(1.0)
        while not self._stopping.is_set():
            try:
                return await self._unless_stopping(self._try(attempt))
            except (ManifestError, MissingExtraError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever a client library raises
                self._in_trouble(error)
            await unless(self._stopping, self._ctx.clock.sleep(next(pauses)))
        return None

    async def _try(self, attempt: Callable[[], Awaitable[T]]) -> T:
        result = await attempt()
        self._recovered()  # at once, for what was begun may report a problem next
        return result

    async def _unless_stopping(self, attempt: Awaitable[T]) -> T | None:
        """The result of *attempt*, which may wait for others; None when it was given up to stop."""
        attempting = asyncio.ensure_future(attempt)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await first(attempting, stopping)
        finally:
            await end([attempting, stopping])
        return None if attempting.cancelled() else attempting.result()

    def _in_trouble(self, error: Exception) -> None:
        text = str(error) if isinstance(error, TiphysError) else f"{type(error).__name__}: {error}"
        if self.status.error is None:
            self._log.error("The endpoint does not work yet and is tried again", error=text)
        self.status.error = text

    def _recovered(self) -> None:
        if self.status.error is not None:
            self._log.info("The endpoint works")
        self.status.error = None

    def _report(self, problem: str | None) -> None:
        """Show a problem beside an endpoint that answers all the same."""
        if problem is None:
            self._recovered()
        elif problem != self.status.error:
            self.status.error = problem
            self._log.error("The endpoint answers, but needs attention", error=problem)

    def _too_large(self, request: Request) -> Reply:
        try:
            reply = self._source.too_large(request)
        except Refused as refused:
            return self._refuse(refused, request)
        self._dispatcher.failed()
        return reply

    def _refuse(self, refused: Refused, request: Request) -> Reply:
        """The answer to a request that the source refuses."""
        if refused.failure:
            self._dispatcher.failed()
        self._note_refusal(refused, request)
        return refused.reply()

    def _note_refusal(self, refused: Refused, request: Request) -> None:
        self._refusals.labels(*self._labels, refused.reason).inc()
        if (count := self._bursts.count(refused.reason)) is not None:
            self._log.warning(
                "A request was refused",
                reason=refused.reason,
                error=refused.cause or refused.message,
                client=request.client,
                count=count,
            )


def _naming(ids: Sequence[str | None]) -> dict[str, str]:
    """
    A header with the ids of the events, as many as it may hold.

    What a header cannot hold is percent-encoded: the name of an event, which is in ids, may have
    any character.
    """
    named: list[str] = []
    room = LONGEST_HEADER + 1  # the first has no comma before it
    for id in ids:
        if id is None:
            continue
        text = quote(id, safe=PLAIN)
        room -= len(text) + 1
        if room < 0:
            break
        named.append(text)
    return {"x-event-id": ",".join(named)} if named else {}
