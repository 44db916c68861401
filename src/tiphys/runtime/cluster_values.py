"""Values of Secrets and ConfigMaps from the Kubernetes API, where there is one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

from tiphys.errors import ClusterUnavailable
from tiphys.kube import Client, config_map_values, find_cluster, secret_values
from tiphys.runtime.secrets import Kind

KEPT = 30.0  # seconds; as long a rotated value may go unnoticed
PATIENCE = 10.0  # seconds for an answer


class ClusterValues:
    """
    Asks the API server and keeps its answers for half a minute; to be closed.

    The cluster is looked for when it is needed first.
    """

    def __init__(self) -> None:
        self._client: Client | None = None
        self._kept: dict[tuple[Kind, str, str], tuple[float, Mapping[str, bytes]]] = {}

    def __str__(self) -> str:
        """``the Kubernetes API``, with its address once it is known."""
        at = (
            f" at {str(self._client.cluster.server).rstrip('/')}"
            if self._client is not None
            else ""
        )
        return f"the Kubernetes API{at}"

    async def values(self, kind: Kind, namespace: str, name: str) -> Mapping[str, bytes]:
        """The values of an object by key.  Raises :exc:`KubernetesError`."""
        key, now = (kind, namespace, name), time.monotonic()
        if key in self._kept and now - self._kept[key][0] < KEPT:
            return self._kept[key][1]
        read = secret_values if kind == "Secret" else config_map_values
        try:
            async with asyncio.timeout(PATIENCE):
                found = await read(await self._connected(), namespace, name)
        except TimeoutError as error:
            raise ClusterUnavailable(f"no answer within {PATIENCE:.0f} seconds") from error
        self._kept[key] = now, found
        return found

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connected(self) -> Client:
        if self._client is None:
            self._client = Client(await asyncio.to_thread(find_cluster))
        return self._client


def is_configured() -> bool:
    """Whether a cluster was named for this process: by ``KUBECONFIG``, or by the pod it is in."""
    return bool(os.environ.get("KUBECONFIG") or os.environ.get("KUBERNETES_SERVICE_HOST"))
