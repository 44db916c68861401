"""Secrets and ConfigMaps that stand among the manifests."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from tiphys.manifests.common import Block


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("it is not base64") from None


def _checked(text: str) -> str:
    _decoded(text)
    return text


def _checked_secret(text: SecretStr) -> SecretStr:
    _decoded(text.get_secret_value())
    return text


class SecretSpec(Block):
    """A Secret; its values are never shown, neither by ``repr`` nor in errors."""

    type: str = Field("Opaque", description="Accepted; without effect.")
    immutable: bool = Field(False, description="Accepted; without effect.")
    data: dict[str, Annotated[SecretStr, AfterValidator(_checked_secret)]] = Field(
        {}, description="Values in base64."
    )
    string_data: dict[str, SecretStr] = Field({}, description="Values as they are.")

    def values(self) -> dict[str, bytes]:
        """The value of each key; ``stringData`` comes before ``data``."""
        coded = {key: _decoded(value.get_secret_value()) for key, value in self.data.items()}
        plain = self.string_data.items()
        return coded | {key: value.get_secret_value().encode() for key, value in plain}


class ConfigMapSpec(Block):
    """A ConfigMap."""

    immutable: bool = Field(False, description="Accepted; without effect.")
    data: dict[str, str] = Field({}, description="Values as they are.")
    binary_data: dict[str, Annotated[str, AfterValidator(_checked)]] = Field(
        {}, description="Values in base64."
    )

    def values(self) -> dict[str, bytes]:
        """The value of each key."""
        plain = {key: value.encode() for key, value in self.data.items()}
        return plain | {key: _decoded(value) for key, value in self.binary_data.items()}
