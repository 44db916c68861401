"""The payload of triggers that cannot do without one."""

from __future__ import annotations

from collections.abc import Sequence

from tiphys.errors import TriggerError
from tiphys.manifests.common import Parameter


def required(asked: Sequence[Parameter] | None, built: bytes | None) -> bytes:
    """
    The payload that was *built*, empty where none of what is *asked* for came.

    Raises :exc:`TriggerError` where the manifest asks for none.
    """
    if asked is None:
        raise TriggerError("payload parameters are not specified", retryable=False)
    return built or b""
