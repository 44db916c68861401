"""Clients for services of AWS: where they are, and whom they act for (event sources 4.8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from pydantic import Field

from tiphys.errors import ManifestError, MissingExtraError, SourceError
from tiphys.manifests.common import SecretRef, SourceConfig
from tiphys.sources._base import SourceContext

SESSION_NAME = "tiphys"  # shows in the audit log of the role's account
SETTINGS: dict[str, Any] = {
    "connect_timeout": 5,
    "read_timeout": 30,
    "retries": {"mode": "standard", "total_max_attempts": 3},
}


class AWSConfig(SourceConfig):
    """The region of a service, and the credentials for it."""

    region: str = Field("", description="Region of the service, such as `eu-central-1`.")
    access_key: SecretRef | None = Field(
        None, description="Access key; without any, credentials come from the environment."
    )
    secret_key: SecretRef | None = Field(None, description="Secret key that belongs to it.")
    role_arn: str = Field(
        "",
        alias="roleARN",
        description="Role to assume with the credentials of the environment; keys are ignored.",
    )
    endpoint: str = Field("", description="URL of the service, where it is not the one of AWS.")


def credentials_problems(config: AWSConfig) -> list[str]:
    """One key without the other, where keys count."""
    if config.role_arn or (config.access_key is None) == (config.secret_key is None):
        return []
    return ["`accessKey` and `secretKey` must come together"]


def require_aiobotocore(key: str) -> None:
    """Raises :exc:`MissingExtraError` when the event source *key* cannot make clients."""
    try:
        import aiobotocore  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("event source", key, "aiobotocore") from error


@asynccontextmanager
async def aws_client(
    service: str, key: str, config: AWSConfig, ctx: SourceContext
) -> AsyncIterator[Any]:
    """
    A client of *service* for the event source *key*; an assumed role lasts an hour.

    What goes wrong in the body as well raises :exc:`SourceError` in the words of AWS; a missing
    library raises :exc:`MissingExtraError`.
    """
    require_aiobotocore(key)
    from aiobotocore.config import AioConfig
    from aiobotocore.session import get_session
    from botocore.exceptions import BotoCoreError, ClientError

    settings: dict[str, Any] = {"region_name": config.region, "config": AioConfig(**SETTINGS)}
    session = get_session()
    try:
        async with AsyncExitStack() as stack:
            try:
                settings |= await _credentials(session, settings, config, ctx)
                creating = session.create_client(
                    service, endpoint_url=config.endpoint or None, **settings
                )
                client = await stack.enter_async_context(creating)
            except ValueError as error:  # the region or the endpoint cannot be
                raise ManifestError(f"{service}: {error}") from error
            yield client
    except (BotoCoreError, ClientError) as error:
        raise SourceError(f"{service} in {config.region}: {error}") from error


async def _credentials(
    session: Any, settings: dict[str, Any], config: AWSConfig, ctx: SourceContext
) -> dict[str, str]:
    """What the client is made with: nothing where the environment knows."""
    if config.role_arn:
        async with session.create_client("sts", **settings) as sts:
            answer = await sts.assume_role(RoleArn=config.role_arn, RoleSessionName=SESSION_NAME)
        given = answer["Credentials"]
        return {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
    if config.access_key is None or config.secret_key is None:
        return {}
    return {
        "aws_access_key_id": await ctx.secret(config.access_key),
        "aws_secret_access_key": await ctx.secret(config.secret_key),
    }
