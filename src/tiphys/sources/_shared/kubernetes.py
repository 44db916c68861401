"""Following a resource of a Kubernetes cluster, also from one run to the next."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Any

from tiphys.aio import stop
from tiphys.errors import (
    BusError,
    ClusterUnavailable,
    Forbidden,
    KubernetesError,
    SourceError,
)
from tiphys.kube import Change, Client, Cluster, Resource, Watch, find_cluster
from tiphys.sources._base import SourceContext
from tiphys.sources._shared.failures import CONNECT, refused, unreachable
from tiphys.sources._shared.known_objects import WHOLE, Known, Place

Object = dict[str, Any]
TICK = 1.0  # seconds between looks at the connection
PAUSE = 5.0  # seconds between records of what is known
LOST = 5.0  # seconds without a connection after which it is lost
LISTING = 90.0  # seconds that a listing may take
LEAVING = 0.5  # seconds for the last record


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """A resource; an empty *namespace* means all, *labels* is a selector."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    labels: str = ""

    @property
    def api_version(self) -> str:
        """``v1`` or ``argoproj.io/v1alpha1``."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """
    A change that a source is told of, until it calls *settle*.

    What is not settled is told again by the next run.  *began* is when the first run began.
    """

    change: Change
    began: datetime
    settle: Callable[[], None]

    async def ack(self) -> None:
        """Settle it."""
        self.settle()


async def follow(
    ctx: SourceContext,
    watched: Watched,
    stub: Callable[[Object], Object],
    *,
    whole: int = WHOLE,
) -> AsyncGenerator[Told]:
    """
    What happens to the objects of a resource, each change once.

    The first run begins with every object there is.  A later one goes on where the one before
    was, as far as the server remembers, else with the difference.  *stub* and *whole* say what is
    kept of the objects, see :class:`Place`.  Raises :exc:`KubernetesError` and
    :exc:`SourceError` when the cluster cannot be used or its connection is lost.
    """
    cluster = await asyncio.to_thread(find_cluster)
    about = f"{cluster.server} {watched.api_version} {watched.plural} {watched.namespace} "
    place = Place(ctx.store, f"kubernetes/{ctx.event_name}", about + watched.labels, stub, whole)
    async with Client(cluster) as client:
        resource = await _resource(client, watched)
        known = await Known.load(place, ctx.clock.now())
        watch = client.watch(resource, watched.namespace or None, labels=watched.labels)
        watch.objects, watch.version = dict(known.objects), known.version
        watch.on_connect = ctx.connected
        try:
            async with aclosing(_changes(watch, known, cluster)) as changes:
                async for change in changes:
                    step = known.begin(change, watch.version)
                    yield Told(change, known.began, functools.partial(known.settle, step))
        except ClusterUnavailable as error:
            raise _unreachable(cluster, error) from error
        finally:
            with contextlib.suppress(BusError, TimeoutError):  # the next run then tells more again
                async with asyncio.timeout(LEAVING):
                    await known.save()


async def _changes(watch: Watch, known: Known, cluster: Cluster) -> AsyncGenerator[Change]:
    """The changes of *watch*; meanwhile keeps *known*, and raises when the connection is lost."""
    connected = saved = time.monotonic()
    coming: asyncio.Task[Change] | None = None
    async with aclosing(aiter(watch)) as stream:  # type: ignore[type-var]  # it is a generator
        try:
            while True:
                coming = coming or asyncio.create_task(_next(stream))
                await asyncio.wait([coming], timeout=TICK)
                now = time.monotonic()
                if coming.done():
                    change, coming = coming.result(), None
                    yield change  # which takes as long as the bus is away
                    connected = time.monotonic()
                else:
                    known.reached(watch.version)
                    if watch.connected:
                        connected = now
                    elif now - connected > (LOST if watch.version else LISTING):
                        raise SourceError(f"the connection to {_name(cluster)} broke")
                if now - saved >= PAUSE:
                    saved = now
                    with contextlib.suppress(BusError):  # tried again, and nothing is lost
                        await known.save()
        finally:
            if coming is not None:
                await stop(coming)


async def _next(stream: Any) -> Change:
    change: Change = await anext(stream)
    return change


async def _resource(client: Client, watched: Watched) -> Resource:
    """What the server calls the resource; tells at once whether the server can be used."""
    try:
        async with asyncio.timeout(CONNECT):
            return await client.discovery.plural(watched.api_version, watched.plural)
    except Forbidden:
        return Resource(watched.group, watched.version, watched.plural)
    except (ClusterUnavailable, TimeoutError) as error:
        raise _unreachable(client.cluster, error) from error
    except KubernetesError as error:
        if error.status == 401:
            raise refused(_name(client.cluster), error.message) from error
        raise


def moment_of(text: Any) -> datetime | None:
    """The moment of an RFC 3339 text; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return None if moment.tzinfo is None else moment


def _unreachable(cluster: Cluster, error: BaseException) -> SourceError:
    return unreachable(_name(cluster), error)


def _name(cluster: Cluster) -> str:
    return f"Kubernetes at {str(cluster.server).rstrip('/')}"
