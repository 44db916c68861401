"""The contract between an event source and the runtime."""

from __future__ import annotations

import abc
import dataclasses
import ssl
import typing
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar

from tiphys.aio import Clock, SystemClock
from tiphys.ingest import Reply, Request
from tiphys.manifests.common import TLS, ConfigMapRef, SecretRef, SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.registry import Registry
from tiphys.sources._shared.webhook_context import context_problems

ConfigT = TypeVar("ConfigT", bound=SourceConfig)
Settle = Callable[[], Awaitable[object]]
Delivery = Literal["at-most-once", "at-least-once", "sender-driven"]
Replicas = Literal["one", "many"]


async def _nothing() -> None:
    """Settle an event that its service does not want to hear of again."""


def _unheard(_problem: str | None) -> None:
    """Nobody wants to hear of problems."""


def _unnoticed() -> None:
    """Nobody asks whether the source is ready."""


@dataclasses.dataclass(frozen=True, slots=True)
class Incoming:
    """
    One event on its way in, with what to tell the service about it.

    The runtime calls exactly one of *ack* and *nack*, exactly once: *ack* after the bus has
    stored the event (or the filter dropped it), *nack* after it gave up.  *data* is the payload:
    a JSON object, or the text of one where the source has it at hand.  *id* derives from the
    identity that the event has upstream, so that the bus recognises it when it comes again;
    None where there is none.

    *problem* says why something that arrived is no event, such as a body that should be JSON and
    is not.  It is logged and counted as failed, nothing is published, and *ack* is called.
    *unwanted* says why an event is none that the manifest asks for, where the source itself
    filters: it is dropped as by a filter, with a warning.
    """

    data: Mapping[str, Any] | bytes
    id: str | None = None
    ack: Settle = _nothing
    nack: Settle = _nothing
    problem: str | None = None
    unwanted: str | None = None


class Store(Protocol):
    """Small durable values that a source keeps across restarts."""

    async def get(self, key: str) -> bytes | None:
        """The value of *key*."""
        ...

    async def put(self, key: str, value: bytes) -> None:
        """Set *key*; durable once this returns."""
        ...


class SecretStore(Protocol):
    """Where the values that manifests refer to come from; raises :exc:`SecretError`."""

    async def secret(self, ref: SecretRef) -> str:
        """The value of a key of a Secret, without one trailing line break."""
        ...

    async def config_map(self, ref: ConfigMapRef) -> str:
        """The value of a key of a ConfigMap, without one trailing line break."""
        ...

    async def tls(self, tls: TLS) -> ssl.SSLContext:
        """The client side of TLS as a manifest's block describes it."""
        ...


@dataclasses.dataclass(frozen=True)
class SourceContext:
    """
    What the runtime lends to a source.  Tests build one by hand.

    *report* shows people a problem that does not keep the source from its work, such as a hook
    that the provider refuses; None says that it is gone.  Only push sources have a use for it.

    *connected* is for the others: called when the connection stands, it makes the source ready
    until its stream of events ends.  Calling it again does nothing.
    """

    namespace: str
    event_source: str
    event_name: str
    secret: Callable[[SecretRef], Awaitable[str]]
    config_map: Callable[[ConfigMapRef], Awaitable[str]]
    tls: Callable[[TLS], Awaitable[ssl.SSLContext]]
    store: Store
    clock: Clock = dataclasses.field(default_factory=SystemClock)
    report: Callable[[str | None], None] = _unheard
    connected: Callable[[], None] = _unnoticed

    async def maybe_secret(self, ref: SecretRef | None) -> str | None:
        """The value of *ref*, or None where nothing is referred to."""
        return None if ref is None else await self.secret(ref)


class _Component(Generic[ConfigT]):
    """What both kinds of sources have; :func:`source` fills in the class variables."""

    key: ClassVar[str]
    event_type: ClassVar[str]
    delivery: Delivery  # of the class; an instance may promise less, where an option decides
    replicas: ClassVar[Replicas]
    ordered: ClassVar[bool]
    Config: ClassVar[type[SourceConfig]]

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    def check(self) -> list[str]:
        """
        What is wrong with the options beyond their types, a sentence each.

        Called before the source runs, by lint as well; does no I/O.  A source with problems does
        not run; what Argo Events runs all the same is said by ``flaws`` and ``doubts`` of its
        config.
        """
        return []


class Source(_Component[ConfigT], abc.ABC):
    """A source that goes and gets its events."""

    @abc.abstractmethod
    def events(self, ctx: SourceContext) -> AsyncIterator[Incoming]:
        """
        Yield events until cancelled.

        Call ``ctx.connected()`` as soon as nothing that happens from then on is missed: the
        subscription is confirmed, the first listing was read.

        Raise when the connection is lost: the runtime calls again, with back-off.
        Hold no state across calls.  Clean up in ``async with``, never in ``__del__``.
        """


class PushSource(_Component[ConfigT], abc.ABC):
    """
    A source whose events are HTTP requests.

    *inactive* is the answer, with status 400, while the endpoint goes (spec: event sources 5.3).
    """

    inactive: ClassVar[bytes] = b"endpoint is inactive"

    @property
    @abc.abstractmethod
    def webhook(self) -> WebhookContext:
        """Where the endpoint is and who may use it."""

    def check(self) -> list[str]:
        """What is wrong with the webhook context; whoever has more to say adds to it."""
        return context_problems(self.webhook)

    def keys(self) -> Mapping[str, SecretRef | None]:
        """
        What the source itself checks requests with, by the option that refers to it.

        The service is not ready, and says why, until all of these Secrets are there and not empty.
        They are read for every request all the same, so that they may be rotated.
        """
        return {}

    def limit(self, request: Request) -> int:
        """The greatest body in bytes; *request* comes without its body yet."""
        return self.webhook.max_payload_size

    def too_large(self, request: Request) -> Reply:
        """
        The answer to a body over the limit, which counts as failed; *request* is without its body.

        Raise :exc:`tiphys.ingest.Refused` where it does not count.
        """
        return Reply(400, b"http: request body too large")

    def accepted(self, request: Request, headers: Mapping[str, str]) -> Reply:
        """The answer to a request whose events are on the bus; *headers* name them."""
        return Reply(200, b"success", headers)

    @abc.abstractmethod
    async def receive(
        self, request: Request, ctx: SourceContext
    ) -> Incoming | list[Incoming] | Reply:
        """
        Turn one request into events, or answer it at once.

        The runtime has checked address, rate, token, HMAC and size.  The sender gets its answer
        when all events are on the bus.  Raise :exc:`tiphys.ingest.Refused` to refuse the request.
        """

    def active(self, ctx: SourceContext) -> AbstractAsyncContextManager[object]:
        """Entered once the endpoint answers, left before it goes: registers hooks elsewhere."""
        return nullcontext()


AnySource = Source[Any] | PushSource[Any]
sources: Registry[AnySource] = Registry("event source", "tiphys.sources", "tiphys.sources")
ClassT = TypeVar("ClassT", bound=type[AnySource])


def source(
    key: str,
    *,
    event_type: str | None = None,
    delivery: Delivery,
    replicas: Replicas,
    ordered: bool = False,
) -> Callable[[ClassT], ClassT]:
    """
    Register a source under its manifest key; ``Source[Config]`` names its config model.

    *event_type* is the CloudEvents type where it differs from the key.  *replicas*: may several
    run at once.  *ordered*: events are settled in the order in which they were yielded.
    """

    def register(cls: ClassT) -> ClassT:
        (base,) = (
            b
            for b in cls.__orig_bases__  # type: ignore[union-attr]
            if typing.get_origin(b) in (Source, PushSource)
        )
        (cls.Config,) = typing.get_args(base)
        cls.key, cls.event_type = key, event_type or key
        cls.delivery, cls.replicas, cls.ordered = delivery, replicas, ordered
        sources.add(key, cls)
        return cls

    return register
