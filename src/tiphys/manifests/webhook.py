"""The webhook context: how an HTTP event source is reached and guarded (event sources 4.7)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tiphys.manifests.common import EXTENSION, Block, PositiveSpan, SecretRef, go_default


class HMAC(Block):
    """A signature over the body, by any sender (extension)."""

    secret: SecretRef = Field(description="Secret that holds the shared key.")
    header: str = Field(description="Header that carries the signature.", examples=["X-Signature"])
    algorithm: Literal["sha1", "sha256", "sha512"] = Field("sha256", description="Hash function.")
    encoding: Literal["hex", "base64"] = Field("hex", description="Form of the signature.")
    prefix: str = Field(
        "", description="Text before the signature, such as `sha256=`.", examples=["sha256="]
    )
    timestamp_header: str = Field(
        "",
        description="Header with Unix seconds; when set, the signature covers `<time>.<body>` and "
        "old requests are refused.",
    )
    tolerance: PositiveSpan = Field(
        300.0, description="Greatest age of the time; the default is `5m`."
    )


class RequestRate(Block):
    """How many requests an address may send (extension)."""

    requests: int = Field(gt=0, description="Requests in one period.")
    period: PositiveSpan = Field(1.0, description="Length of the period; the default is `1s`.")
    burst: int = Field(0, ge=0, description="Requests at once; as many as `requests` when 0.")
    per: Literal["address", "endpoint"] = Field(
        "address", description="Whether each address counts for itself."
    )


class WebhookContext(Block):
    """Where the endpoint is and who may use it."""

    endpoint: str = Field("", description="Path of the endpoint; `{name}` matches a segment.")
    method: str = Field(
        "", description="Accepted HTTP method; other types than `webhook` ignore it."
    )
    port: str = Field("", description="Port to listen on, as a text.")
    url: str = Field("", description="Base URL under which senders reach the endpoint.")
    server_cert_secret: SecretRef | None = Field(None, description="Server certificate, PEM.")
    server_key_secret: SecretRef | None = Field(None, description="Server private key, PEM.")
    metadata: dict[str, str] = Field(
        {},
        description="Copied into the payload of every event; other types than `webhook` ignore it.",
    )
    auth_secret: SecretRef | None = Field(
        None, description="Secret with the token that `Authorization: Bearer` must carry."
    )
    max_payload_size: Annotated[int, go_default(1048576)] = Field(
        1048576, ge=0, description="Greatest size of a body in bytes."
    )
    hmac: HMAC | None = Field(
        None, description="Signature to demand (extension).", json_schema_extra=EXTENSION
    )
    allowed_cidrs: list[str] = Field(
        [],
        alias="allowedCIDRs",
        description="Networks that may send; empty: all (extension).",
        json_schema_extra=EXTENSION,
    )
    rate_limit: RequestRate | None = Field(
        None, description="Limits requests (extension).", json_schema_extra=EXTENSION
    )
