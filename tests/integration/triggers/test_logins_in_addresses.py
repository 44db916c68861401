"""No trigger shows a password that its manifest has in an address."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests._ports import free_port
from tiphys.errors import TriggerError
from tiphys.testing.sources import FixedSecrets
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import TriggerContext
from tiphys.triggers.artifacts import git, s3, url

WORDS = ("s3cr", "word")  # the password, or a part of it
SECRET = {"name": "logins", "key": "key"}
PAYLOAD = [{"src": {"dependencyName": "dep", "dataKey": "n"}, "dest": "n"}]
LOGINS = [
    "user:s3cr%2Fword@127.0.0.1:{port}",
    "user:s3cr/word@127.0.0.1:{port}",
    "user:s3cr?word@127.0.0.1:{port}",
    "user:s3cr\N{CARE OF}word@127.0.0.1:{port}",  # which looks like a slash to some parsers
    "user:s3cr-word@127.0.0.1:none",
    "user:s3cr-word@[::1",
]
BLOCKS: dict[str, tuple[str, Callable[[str], dict[str, Any]]]] = {
    "http": ("http", lambda at: {"url": at}),
    "kafka": ("kafka", lambda at: {"url": at, "topic": "t", "payload": PAYLOAD}),
    "schemaRegistry": (
        "kafka",
        lambda at: {
            "url": "127.0.0.1:1",
            "topic": "t",
            "payload": PAYLOAD,
            "schemaRegistry": {"url": at, "schemaId": 1},
        },
    ),
    "nats": ("nats", lambda at: {"url": at, "subject": "s", "payload": PAYLOAD}),
    "pulsar": ("pulsar", lambda at: {"url": at, "topic": "t", "payload": PAYLOAD}),
    "slack": (
        "slack",
        lambda at: {"apiURL": at, "slackToken": SECRET, "channel": "c", "message": "m"},
    ),
    "openWhisk": ("openWhisk", lambda at: {"host": at, "actionName": "a", "payload": PAYLOAD}),
    "custom": ("custom", lambda at: {"serverURL": at, "spec": {"a": "b"}}),
    "email": (
        "email",
        lambda at: {
            "host": at,
            "port": 25,
            "to": ["a@example.com"],
            "from": "b@example.com",
            "subject": "s",
            "body": "b",
        },
    ),
}
SCHEMES = {
    "http": ("", "http://", "ftp://"),
    "schemaRegistry": ("", "http://", "ftp://"),
    "nats": ("", "nats://"),
    "pulsar": ("", "pulsar://"),
    "slack": ("", "http://", "ftp://"),
    "openWhisk": ("", "http://", "ftp://"),
    "custom": ("", "dns:///"),
}
ARTIFACTS: dict[str, Callable[[str, TriggerContext], Awaitable[bytes]]] = {
    "url": lambda at, ctx: url.read(url.URLArtifact.model_validate({"path": at}), ctx),
    "git": lambda at, ctx: git.read(
        git.GitArtifact.model_validate({"url": at, "filePath": "a"}), ctx
    ),
    "s3": lambda at, ctx: s3.read(
        s3.S3Artifact.model_validate(
            {
                "endpoint": at,
                "bucket": {"name": "b", "key": "k"},
                "accessKey": SECRET,
                "secretKey": SECRET,
                "insecure": True,
            }
        ),
        ctx,
    ),
}


class Nowhere(Target):
    """An address with a login, where nobody is."""

    def __init__(self, block: dict[str, Any]) -> None:
        super().__init__()
        self._block = block
        self.secrets.values["logins/key"] = "value"

    def block(self) -> dict[str, Any]:
        return self._block

    async def received(self) -> list[Any]:
        return []


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiphys.triggers.custom.CONNECT", 0.2)


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize(
    ("name", "scheme"), [(name, scheme) for name in BLOCKS for scheme in SCHEMES.get(name, ("",))]
)
async def test_a_password_in_an_address_is_neither_logged_nor_in_the_error(
    name: str, scheme: str, login: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    key, block = BLOCKS[name]
    target = Nowhere(block(scheme + login.format(port=free_port())))
    contract = type("Contract", (TriggerContract,), {"key": key, "target": None})()
    with pytest.raises(TriggerError) as caught:
        async with contract.running(target) as running:
            await running.fire()
    seen = f"{caught.value} {caplog.text}"

    assert not [word for word in WORDS if word in seen], seen


@pytest.mark.parametrize("login", LOGINS)
@pytest.mark.parametrize("scheme", ["", "http://", "ftp://"])
@pytest.mark.parametrize("kind", list(ARTIFACTS))
async def test_a_password_in_the_address_of_an_artifact_is_not_in_the_error(
    kind: str, scheme: str, login: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    secrets = FixedSecrets()
    secrets.values["logins/key"] = "value"
    async with AsyncExitStack() as stack:
        ctx = TriggerContext(
            namespace="ns",
            sensor="sn",
            trigger="tr",
            secret=secrets.secret,
            config_map=secrets.config_map,
            tls=secrets.tls,
            stack=stack,
        )
        with pytest.raises(TriggerError) as caught:
            await ARTIFACTS[kind](scheme + login.format(port=free_port()), ctx)
    seen = f"{caught.value} {caplog.text}"

    assert not [word for word in WORDS if word in seen], seen
