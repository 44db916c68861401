"""A manifest that a web server answers with."""

from __future__ import annotations

import asyncio

import aiohttp
from pydantic import Field
from yarl import URL

from tiphys.errors import TriggerError
from tiphys.manifests.common import Block
from tiphys.system import without_login
from tiphys.triggers._base import TriggerContext
from tiphys.triggers._egress import Egress
from tiphys.triggers._shared.http_client import reason
from tiphys.triggers.artifacts._limits import SECONDS, limited
from tiphys.triggers.artifacts._session import check_host, guarded_session

MAX_REDIRECTS = 10
REDIRECTS = (301, 302, 303, 307, 308)


class URLArtifact(Block):
    """An address."""

    path: str = Field("", description="The address, with `http://` or `https://`.")
    verify_cert: bool = Field(
        True, description="Demand a certificate that is trusted; only `false` turns that off."
    )


async def read(artifact: URLArtifact, ctx: TriggerContext, *, seconds: float = SECONDS) -> bytes:
    """
    The body of the answer; redirects are followed.

    Raises :exc:`TriggerError` for any status but 200, for bodies that are too large, and when
    there is no answer within *seconds*.
    """
    shown = _without_password(artifact.path)
    try:
        async with (
            asyncio.timeout(seconds),
            guarded_session(ctx.egress, artifact.verify_cert) as session,
        ):
            return await _followed(session, URL(artifact.path), ctx.egress)
    except TimeoutError as error:
        raise TriggerError(f"{shown} is not read within {seconds:g} s") from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise TriggerError(f"{shown!r} is no address", retryable=False) from error
    except (aiohttp.ClientError, OSError) as error:
        raise TriggerError(f"no answer from {shown}: {reason(error)}") from error
    except ValueError as error:  # from the parser of addresses
        raise TriggerError(f"{shown!r} is no address", retryable=False) from error


async def _followed(session: aiohttp.ClientSession, url: URL, egress: Egress) -> bytes:
    """The body behind the redirects, each of which must be one that may be followed."""
    first = url
    for _ in range(MAX_REDIRECTS + 1):
        check_host(url, egress)
        async with session.get(url, allow_redirects=False) as answer:
            location = answer.headers.get("Location")
            if answer.status in REDIRECTS and location:
                url = url.join(URL(location))
                continue
            shown = _without_password(str(url))
            if answer.status != 200:
                passes = answer.status >= 500 or answer.status in (408, 429)
                message = f"{shown} answers with status {answer.status}"
                raise TriggerError(message, retryable=passes)
            return await limited(answer.content, shown)
    raise TriggerError(f"{_without_password(str(first))} redirects too often", retryable=False)


def _without_password(address: str) -> str:
    """The address for people."""
    try:
        return str(URL(address).with_user(None).with_query(None))
    except ValueError:
        return without_login(address)
