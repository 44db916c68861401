"""Secrets that a trigger reads while it acts, with errors that the engine understands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pydantic import Field

from tiphys.errors import SecretError, TriggerError
from tiphys.manifests.common import Block, ConfigMapRef, SecretRef
from tiphys.triggers._base import TriggerContext


class ValueSource(Block):
    """Where the value of a secure header comes from."""

    secret_key_ref: SecretRef | None = Field(None, description="Key of a Secret; wins.")
    config_map_key_ref: ConfigMapRef | None = Field(None, description="Key of a ConfigMap.")


class SecureHeader(Block):
    """A header whose value is not in the manifest."""

    name: str = Field(description="Name of the header.")
    value_from: ValueSource | None = Field(None, description="Where its value comes from.")


@contextlib.contextmanager
def retrieving(what: str) -> Iterator[None]:
    """Turn a missing secret into a :exc:`TriggerError` that names *what* was to be read."""
    try:
        yield
    except SecretError as error:
        raise TriggerError(f"failed to retrieve the {what}, {error}") from error


async def secure_value(ctx: TriggerContext, header: SecureHeader) -> str:
    """The value of a secure header.  Raises :exc:`TriggerError`."""
    source = header.value_from
    with retrieving("value for secureHeader"):
        if source is not None and source.secret_key_ref is not None:
            return await ctx.secret(source.secret_key_ref)
        if source is not None and source.config_map_key_ref is not None:
            return await ctx.config_map(source.config_map_key_ref)
    raise TriggerError(f"secureHeader {header.name!r} has no valueFrom", retryable=False)
