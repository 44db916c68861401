"""Clients of AWS, and what their errors mean."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from tiphys.errors import TriggerError

LONGEST = 900  # seconds that AWS may take to answer: a function may run as long
_PASSING = (409, 429)  # statuses below 500 that may be others the next time

# At DEBUG these write requests and answers, credentials included, to the log.
for _name in ("botocore", "aiobotocore"):
    logging.getLogger(_name).setLevel(logging.INFO)


@contextlib.asynccontextmanager
async def opened(service: str, region: str, credentials: dict[str, str]) -> AsyncIterator[Any]:
    """A client of *service*; without *credentials*, with those of the environment."""
    config = AioConfig(
        connect_timeout=10,
        read_timeout=LONGEST + 10,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    session = get_session()
    async with session.create_client(
        service, region_name=region, config=config, **credentials
    ) as client:
        yield client


@contextlib.contextmanager
def failures(failed: str) -> Iterator[None]:
    """Turn what AWS and its library say into :exc:`TriggerError`, behind the words *failed*."""
    try:
        yield
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        final = 400 <= status < 500 and status not in _PASSING
        raise TriggerError(f"{failed}: {error}", retryable=not final) from error
    except (BotoCoreError, ValueError) as error:
        final = isinstance(error, ParamValidationError | ValueError)
        raise TriggerError(f"{failed}: {error}", retryable=not final) from error
    except (OSError, TimeoutError) as error:
        raise TriggerError(f"{failed}: {error or type(error).__name__}") from error
