"""A manifest that a web server answers with."""

from __future__ import annotations

import asyncio

import aiohttp
from pydantic import Field
from yarl import URL

from tiphys.errors import TriggerError
from tiphys.manifests.common import Block
from tiphys.triggers.artifacts._limits import SECONDS, limited


class URLArtifact(Block):
    """An address."""

    path: str = Field("", description="The address, with `http://` or `https://`.")
    verify_cert: bool = Field(
        True, description="Demand a certificate that is trusted; only `false` turns that off."
    )


async def read(artifact: URLArtifact, *, seconds: float = SECONDS) -> bytes:
    """
    The body of the answer; redirects are followed.

    Raises :exc:`TriggerError` for any status but 200, for bodies that are too large, and when
    there is no answer within *seconds*.
    """
    address = _without_password(artifact.path)
    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession(trust_env=True, timeout=aiohttp.ClientTimeout(None)) as session,
            session.get(artifact.path, ssl=artifact.verify_cert) as answer,
        ):
            if answer.status != 200:
                passes = answer.status >= 500 or answer.status in (408, 429)
                message = f"{address} answers with status {answer.status}"
                raise TriggerError(message, retryable=passes)
            return await limited(answer.content, address)
    except TimeoutError as error:
        raise TriggerError(f"{address} is not read within {seconds:g} s") from error
    except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
        raise TriggerError(f"{address!r} is no address", retryable=False) from error
    except (aiohttp.ClientError, OSError) as error:
        raise TriggerError(f"no answer from {address}: {error}") from error
    except ValueError as error:  # from the parser of addresses
        raise TriggerError(f"{address!r} is no address", retryable=False) from error


def _without_password(address: str) -> str:
    """The address for people."""
    try:
        return str(URL(address).with_user(None).with_query(None))
    except ValueError:
        return address.partition("?")[0].rpartition("@")[2]
