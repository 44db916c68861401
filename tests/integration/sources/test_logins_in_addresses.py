"""No source shows a password that its manifest has in an address."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests._ports import free_port
from tiphys.aio import SystemClock, stop
from tiphys.errors import ManifestError, SourceError
from tiphys.sources._shared.aws import AWSClients, AWSConfig
from tiphys.sources._shared.rest import api
from tiphys.sources._shared.rules import url_problems
from tiphys.testing.sources import Service, make_source, pull_service, started_bus

WORDS = ("s3cr", "word")  # the password, or a part of it
SECRET = {"name": "logins", "key": "key"}
LOGINS = [
    "user:s3cr%2Fword@127.0.0.1:{port}",
    "user:s3cr/word@127.0.0.1:{port}",
    "user:s3cr?word@127.0.0.1:{port}",
    "user:s3cr\N{CARE OF}word@127.0.0.1:{port}",  # which looks like a slash to some parsers
    "user:s3cr-word@127.0.0.1:none",
    "user:s3cr-word@[::1",
]
FILES = {"directory": "/in/", "path": "a"}
BLOCKS: dict[str, Callable[[str], dict[str, Any]]] = {
    "amqp": lambda at: {"url": at, "exchangeName": "", "routingKey": "q"},
    "generic": lambda at: {"url": at, "config": "a", "insecure": True},
    "hdfs": lambda at: {**FILES, "type": "CREATE", "webAddresses": [at], "hdfsUser": "a"},
    "minio": lambda at: {
        "endpoint": at,
        "bucket": {"name": "bucket"},
        "accessKey": SECRET,
        "secretKey": SECRET,
    },
    "mqtt": lambda at: {"url": at, "topic": "t", "clientId": "c"},
    "nats": lambda at: {"url": at, "subject": "s"},
    "redis": lambda at: {"hostAddress": at, "channels": ["c"]},
    "redisStream": lambda at: {"hostAddress": at, "streams": ["s"]},
}
SCHEMES = {
    "amqp": ("", "amqp://", "mqttx://"),
    "generic": ("", "http://", "dns:///"),
    "hdfs": ("", "http://", "ftp://"),
    "mqtt": ("", "tcp://", "mqttx://"),
    "nats": ("", "nats://", "mqttx://"),
}


class Nowhere(Service):
    """An address with a login, where nobody is."""

    def __init__(self, block: dict[str, Any]) -> None:
        super().__init__()
        self._block = block
        self.secrets.values["logins/key"] = "value"

    def block(self) -> dict[str, Any]:
        return self._block

    async def emit(self, n: int) -> None:
        raise AssertionError("nobody is here")

    def number(self, data: dict[str, Any]) -> int:
        raise AssertionError("nobody is here")


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize(
    ("key", "scheme"), [(key, scheme) for key in BLOCKS for scheme in SCHEMES.get(key, ("",))]
)
async def test_a_password_in_an_address_is_in_no_problem_no_log_and_no_status(
    key: str, scheme: str, login: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    service = Nowhere(BLOCKS[key](scheme + login.format(port=free_port())))
    seen = "".join(make_source(key, service.block()).check())
    if not seen:  # otherwise it would not run
        with capture_logs() as logs:
            seen = f"{await error_of(key, service)} {logs}"

    assert seen
    assert not [word for word in WORDS if word in seen + caplog.text], seen


async def error_of(key: str, service: Service) -> str:
    """What the status says when the source cannot work."""
    pull = pull_service(key, service, await started_bus())
    task = asyncio.create_task(pull.run())
    await service.until(lambda: pull.status.error is not None)
    assert await stop(task, limit=1)
    return str(pull.status.error)


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("scheme", ["", "ftp://", "https://"])
async def test_a_password_in_a_base_url_is_not_in_the_error(scheme: str, login: str) -> None:
    address = scheme + login.format(port=1)
    seen = "".join(url_problems(githubBaseURL=address))
    try:
        async with api("GitHub", address, SystemClock()):
            pass
    except ManifestError as error:
        seen += str(error)

    assert not [word for word in WORDS if word in seen], seen


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("scheme", ["", "ftp://", "http://"])
async def test_a_password_in_the_endpoint_of_aws_is_not_in_the_error(
    scheme: str, login: str
) -> None:
    config = AWSConfig.model_validate(
        {
            "region": "eu-central-1",
            "endpoint": f"{scheme}{login.format(port=free_port())}/",
            "accessKey": SECRET,
            "secretKey": SECRET,
        }
    )
    clients = AWSClients("sns", "sns", config)
    with pytest.raises((ManifestError, SourceError)) as caught:
        async with clients.client(Nowhere({}).context()) as client:
            await client.list_topics()
    await clients.close()

    assert not [word for word in WORDS if word in str(caught.value)], str(caught.value)
