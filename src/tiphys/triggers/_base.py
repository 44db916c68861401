"""The contract between a trigger and the sensor engine."""

from __future__ import annotations

import abc
import dataclasses
import ssl
import typing
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, ClassVar, Generic, TypeVar

from tiphys.aio import Clock, SystemClock
from tiphys.events import CloudEvent
from tiphys.manifests.common import TLS, ConfigMapRef, Parameter, SecretRef, TriggerConfig
from tiphys.registry import Registry
from tiphys.triggers._egress import Egress

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header or property of what is sent that holds the id of the action."""

ConfigT = TypeVar("ConfigT", bound=TriggerConfig)
ResourceT = TypeVar("ResourceT")


@dataclasses.dataclass(frozen=True, slots=True)
class Firing(Generic[ConfigT]):
    """
    One attempt to perform one action.

    *config* already has its parameters applied and is validated; *payload* is already built (None:
    the manifest asks for none).  *resource* is what :meth:`Trigger.fetch` returned, parameters
    applied.  *action_id* is the same for every attempt and every redelivery of this action;
    *refused* counts the outcomes of it that the trigger's policy has refused so far, each of which
    asks for a new one.  *resolve* gives the text of a parameter, None where its event did not come.
    """

    config: ConfigT
    trigger: str
    sensor: str
    namespace: str
    action_id: str
    events: Mapping[str, CloudEvent]
    payload: bytes | None = None
    resource: bytes | None = None
    refused: int = 0
    resolve: Callable[[Parameter], str | None] = lambda _parameter: None


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """
    What came of it.

    The engine compares *status* with the status policy of triggers that have one
    (:attr:`Trigger.has_status`); *detail* is shown to people and holds no secret; *resource* is the
    object that was created, for the label policy; *retry_after* are the seconds that the target
    asks to be left alone, should the policy call this a failure.
    """

    status: int | None = None
    detail: str = ""
    resource: dict[str, Any] | None = None
    retry_after: float = 0.0


@dataclasses.dataclass
class TriggerContext:
    """What the engine lends to a trigger.  Tests build one by hand."""

    namespace: str
    sensor: str
    trigger: str
    secret: Callable[[SecretRef], Awaitable[str]]
    config_map: Callable[[ConfigMapRef], Awaitable[str]]
    tls: Callable[[TLS], Awaitable[ssl.SSLContext]]
    stack: AsyncExitStack
    allow_exec: bool = False
    egress: Egress = dataclasses.field(default_factory=Egress)
    clock: Clock = dataclasses.field(default_factory=SystemClock)

    async def enter(self, resource: AbstractAsyncContextManager[ResourceT]) -> ResourceT:
        """Open *resource* now and close it when the sensor stops."""
        return await self.stack.enter_async_context(resource)


class Trigger(abc.ABC, Generic[ConfigT]):
    """
    A kind of action.

    One object serves one trigger of one sensor for as long as that runs; :meth:`fire` is called
    by several tasks at once.  Retries, rate limit, policy and dead letters belong to the engine.
    """

    key: ClassVar[str]
    log_name: ClassVar[str]
    fetches_objects: ClassVar[bool] = False  # of Kubernetes, which must have a kind
    has_status: ClassVar[bool] = False  # of an answer, which a policy may judge
    Config: ClassVar[type[TriggerConfig]]

    async def start(self, ctx: TriggerContext) -> None:
        """Open what lives as long as the sensor."""
        self.ctx = ctx

    async def fetch(self, config: ConfigT) -> bytes | None:
        """
        The resource that the block's parameters change, as JSON; None: they change the block.

        Where there are no parameters it need not be JSON.
        """
        return None

    @abc.abstractmethod
    async def fire(self, firing: Firing[ConfigT]) -> Outcome:
        """Do it once.  Raise :exc:`tiphys.errors.TriggerError` when it did not succeed."""

    async def observe(self, outcome: Outcome) -> dict[str, Any] | None:
        """
        The object of *outcome* as it is now, for the label policy; None: there is none.

        Raises :exc:`tiphys.errors.TriggerError`.
        """
        return None

    @classmethod
    def check(cls, config: ConfigT) -> list[str]:
        """
        What is wrong with the options beyond their types, a sentence each.

        Called before the sensor runs, by lint as well; does no I/O.
        """
        return []


triggers: Registry[Trigger[Any]] = Registry("trigger", "tiphys.triggers", "tiphys.triggers")
ClassT = TypeVar("ClassT", bound=type[Trigger[Any]])


def trigger(key: str, *, log_name: str | None = None) -> Callable[[ClassT], ClassT]:
    """
    Register a trigger under its manifest key; ``Trigger[Config]`` names its config model.

    *log_name* is the ``triggerType`` of log lines where it differs from the key.
    """

    def register(cls: ClassT) -> ClassT:
        (base,) = (
            b
            for b in cls.__orig_bases__  # type: ignore[attr-defined]
            if typing.get_origin(b) is Trigger
        )
        (cls.Config,) = typing.get_args(base)
        cls.key, cls.log_name = key, log_name or key
        triggers.add(key, cls)
        return cls

    return register
