"""Clients for services of AWS: where they are, and whom they act for (event sources 4.8)."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from tiphys.errors import ManifestError, MissingExtraError, SourceError
from tiphys.manifests.common import SecretRef, SourceConfig
from tiphys.sources._base import SourceContext
from tiphys.sources._shared.rules import url_problems

SESSION_NAME = "tiphys"  # shows in the audit log of the role's account
SETTINGS: dict[str, Any] = {
    "connect_timeout": 5,
    "read_timeout": 30,
    "retries": {"mode": "standard", "total_max_attempts": 3},
    "warm_up_loader_caches": True,  # megabytes of JSON, read in a thread
}
EARLY = timedelta(minutes=5)  # how long before its credentials expire a client is replaced


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


Keys = tuple[str, str] | None


@dataclasses.dataclass(eq=False)
class _Made:
    """A client, whom it acts for, and until when; closed once nobody uses it and it is old."""

    client: Any
    keys: Keys
    until: datetime | None
    stack: AsyncExitStack
    users: int = 0
    old: bool = False

    async def retire(self) -> None:
        """Use it no longer than those do who have it."""
        self.old = True
        await self.close_unless_used()

    async def close_unless_used(self) -> None:
        """Close it when it is old and nobody uses it."""
        if self.old and not self.users:
            await self.stack.aclose()


class AWSClients:
    """
    The client of *service* for one event service of type *key*.

    Making one takes long, so it is kept as long as the credentials are the same and AWS accepts
    what is asked; an assumed role lasts an hour.
    """

    def __init__(self, service: str, key: str, config: AWSConfig) -> None:
        self._service = service
        self._key = key
        self._config = config
        self._made: _Made | None = None
        self._making = asyncio.Lock()
        self._closed = False

    @asynccontextmanager
    async def client(self, ctx: SourceContext) -> AsyncIterator[Any]:
        """
        Lend the client; several may use it at once.

        What goes wrong in the body as well raises :exc:`SourceError` in the words of AWS; a missing
        library raises :exc:`MissingExtraError`.
        """
        require_aiobotocore(self._key)
        await asyncio.to_thread(importlib.import_module, "aiobotocore.session")
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            made = await self._current(ctx)
            made.users += 1
            try:
                yield made.client
            except (BotoCoreError, ClientError):
                await self._give_up(made)  # the environment may have other credentials by now
                raise
            finally:
                made.users -= 1
                await made.close_unless_used()
        except (BotoCoreError, ClientError) as error:
            raise SourceError(f"{self._service} in {self._config.region}: {error}") from error

    async def close(self) -> None:
        """Lend no more; who has the client may finish."""
        self._closed = True
        if self._made is not None:
            await self._give_up(self._made)

    async def _current(self, ctx: SourceContext) -> _Made:
        """The client for the credentials of this moment, made if need be."""
        keys = await self._keys(ctx)
        async with self._making:
            made = self._made
            if made is not None:
                if made.keys == keys and (made.until is None or ctx.clock.now() < made.until):
                    return made
                await self._give_up(made)
            made = await self._make(keys)
            if self._closed:
                await made.retire()
                raise SourceError(f"{self._service}: the event source is stopping")
            self._made = made
            return made

    async def _give_up(self, made: _Made) -> None:
        if self._made is made:
            self._made = None
        await made.retire()

    async def _keys(self, ctx: SourceContext) -> Keys:
        """Access and secret key; None where the environment knows."""
        config = self._config
        if config.role_arn or config.access_key is None or config.secret_key is None:
            return None
        return await ctx.secret(config.access_key), await ctx.secret(config.secret_key)

    async def _make(self, keys: Keys) -> _Made:
        from aiobotocore.config import AioConfig
        from aiobotocore.session import get_session

        config, stack, until = self._config, AsyncExitStack(), None
        if problems := url_problems(endpoint=config.endpoint):  # the library's words may quote it
            raise ManifestError(problems[0])
        settings: dict[str, Any] = {"region_name": config.region, "config": AioConfig(**SETTINGS)}
        session = await asyncio.to_thread(get_session)
        try:
            if config.role_arn:
                credentials, until = await self._assume_role(session, settings)
                settings |= credentials
            elif keys is not None:
                settings |= {"aws_access_key_id": keys[0], "aws_secret_access_key": keys[1]}
            creating = session.create_client(
                self._service, endpoint_url=config.endpoint or None, **settings
            )
            return _Made(await stack.enter_async_context(creating), keys, until, stack)
        except ValueError as error:  # the region or the endpoint cannot be
            raise ManifestError(f"{self._service}: {error}") from error

    async def _assume_role(
        self, session: Any, settings: dict[str, Any]
    ) -> tuple[dict[str, str], datetime]:
        """What the client is made with, and until when it can be used."""
        async with session.create_client("sts", **settings) as sts:
            answer = await sts.assume_role(
                RoleArn=self._config.role_arn, RoleSessionName=SESSION_NAME
            )
        given = answer["Credentials"]
        credentials = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
        return credentials, given["Expiration"] - EARLY
