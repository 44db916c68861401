"""The values in Secrets and ConfigMaps."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tiphys.kube._resources import CONFIG_MAPS, SECRETS

if TYPE_CHECKING:
    from tiphys.kube._client import Client


async def secret_values(client: Client, namespace: str, name: str) -> dict[str, bytes]:
    """The values of a Secret by key.  Raises :exc:`NotFound` or :exc:`Forbidden`."""
    secret = await client.get(SECRETS, name, namespace)
    return {key: base64.b64decode(value) for key, value in (secret.get("data") or {}).items()}


async def config_map_values(client: Client, namespace: str, name: str) -> dict[str, bytes]:
    """The values of a ConfigMap by key, texts and binary ones.  Raises like a Secret's."""
    found = await client.get(CONFIG_MAPS, name, namespace)
    texts = {key: value.encode() for key, value in (found.get("data") or {}).items()}
    binary = found.get("binaryData") or {}
    return texts | {key: base64.b64decode(value) for key, value in binary.items()}
