"""Email triggers against a real SMTP server."""

from __future__ import annotations

import asyncio
import contextlib
import email
import ssl
from collections.abc import AsyncIterator, Sequence
from email import policy
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests._ports import free_port
from tests.integration._certificates import Pair
from tiphys.errors import TriggerError
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import triggers
from tiphys.triggers.email import Config

pytestmark = pytest.mark.filterwarnings(
    "ignore:Requiring AUTH while not requiring TLS:UserWarning",
    "ignore:AUTH.*:UserWarning",
)


class MailServer(Target):
    """Keeps what it gets; refuses some recipients, and passwords other than ``s3cret``."""

    def __init__(self, certificate: Pair | None = None, *, logins: bool = True) -> None:
        super().__init__()
        self.port = free_port()
        self.logins = logins
        self.certificate = certificate
        self.messages: list[tuple[str, EmailMessage]] = []
        self.busy: set[str] = set()
        self.encrypted: list[bool] = []
        self.users: list[bytes] = []
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.secrets.values |= {"mail/password": "s3cret", "mail/wrong": "letmein"}
        if certificate is not None:
            self.secrets.values["mail/ca"] = certificate.certificate.read_text()

    def block(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "username": "ada",
            "smtpPassword": {"name": "mail", "key": "password"},
            "from": "Builds <builds@example.com>",
            "to": ["ada@example.com"],
            "subject": "build",
            "body": "done",
            "parameters": [
                {"src": {"dependencyName": "dep", "dataKey": "n"}, "dest": "body"},
            ],
        }

    def trusted(self) -> dict[str, Any]:
        """The block of a client that demands TLS and trusts the certificate."""
        return {**self.block(), "tls": {"caCertSecret": {"name": "mail", "key": "ca"}}}

    async def received(self) -> Sequence[Any]:
        return self.messages

    def unreachable(self) -> dict[str, Any]:
        return {**self.block(), "port": free_port()}

    def refused(self) -> dict[str, Any]:
        return {**self.block(), "smtpPassword": {"name": "mail", "key": "wrong"}}

    async def stall(self) -> None:
        self.flowing.clear()

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address in self.busy:
            return "450 try again later"
        if address.startswith("nobody@"):
            return "550 there is no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        await self.flowing.wait()
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append((envelope.rcpt_tos[0], message))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.users.append(data.login)
        return AuthResult(success=data.password == b"s3cret", handled=False)

    def protocol(self, context: ssl.SSLContext | None) -> SMTP:
        return SMTP(
            self,
            hostname="mail",
            tls_context=context,
            auth_require_tls=False,
            auth_exclude_mechanism=[] if self.logins else ["LOGIN", "PLAIN"],
            authenticator=self.authenticate,
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
        )


@contextlib.asynccontextmanager
async def mail_server(
    certificate: Pair | None = None, *, implicit: bool = False, logins: bool = True
) -> AsyncIterator[MailServer]:
    """A running server; with a certificate it offers STARTTLS, or speaks TLS from the start."""
    target = MailServer(certificate, logins=logins)
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate.certificate, certificate.key)
    server = await asyncio.get_running_loop().create_server(
        lambda: target.protocol(None if implicit else context),
        "127.0.0.1",
        target.port,
        ssl=context if implicit else None,
    )
    try:
        yield target
    finally:
        target.flowing.set()
        server.close()
        await server.wait_closed()


class TestEmail(TriggerContract):
    key = "email"

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[MailServer]:
        async with mail_server() as target:
            yield target


async def fire(target: MailServer, **block: Any) -> Any:
    """The outcome of one firing."""
    async with TestEmail().running(target, {**target.block(), **block}) as running:
        return await running.fire()


async def test_each_address_gets_a_message_of_its_own() -> None:
    async with mail_server() as target:
        await fire(target, to=["fake1@email.com", "Grace <fake2@email.com>"], subject="Grüße")

    (first, message), (second, other) = target.messages
    assert (first, second) == ("fake1@email.com", "fake2@email.com")
    assert (message["To"], other["To"]) == ("fake1@email.com", "Grace <fake2@email.com>")
    assert message["From"] == "Builds <builds@example.com>"
    assert message["Subject"] == "Grüße"
    assert message.get_content_type() == "text/plain"
    assert message["Content-Transfer-Encoding"] == "quoted-printable"
    assert message.get_content().strip() == "7"
    assert message["Date"] and message["MIME-Version"] == "1.0"
    assert message["Message-ID"] != other["Message-ID"]


@pytest.mark.parametrize(
    ("address", "recipient"),
    [
        ("user+tag@x.com", "user+tag@x.com"),
        ("ada@science.museum", "ada@science.museum"),
        ("root@localhost", "root@localhost"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("jürgen@example.com", "jürgen@example.com"),
        ("a..b-@x-y.de", "a..b-@x-y.de"),
    ],
)
async def test_addresses_of_all_kinds_are_accepted(address: str, recipient: str) -> None:
    async with mail_server() as target:
        await fire(target, to=[address])

    assert [to for to, _ in target.messages] == [recipient]


@pytest.mark.parametrize(
    "address", ["not@a@valid.email", "nobody", "a b@x.com", "a@x.com\nBcc: eve@x.com", ""]
)
async def test_an_address_that_is_none_fails_and_the_others_get_their_message(address: str) -> None:
    async with mail_server() as target:
        with pytest.raises(TriggerError, match="to emailId can't be invalid") as caught:
            await fire(target, to=[address, "ada@example.com"])

    assert [to for to, _ in target.messages] == ["ada@example.com"]
    assert not caught.value.retryable


async def test_another_attempt_is_for_those_who_got_nothing() -> None:
    async with mail_server() as target:
        target.busy = {"b@example.com"}
        block = {**target.block(), "to": ["a@example.com", "b@example.com", "c@example.com"]}
        async with TestEmail().running(target, block) as running:
            with pytest.raises(TriggerError, match=r"emailId b@example\.com, 450 try") as caught:
                await running.fire()
            target.busy = set()
            await running.fire()
            await running.fire(action_id="action-2")

    assert caught.value.retryable
    assert [to[0] for to, _ in target.messages] == [*"acb", *"abc"]
    ids = [message["Message-ID"] for _, message in target.messages]
    assert len(set(ids)) == len(ids)


async def test_a_mailbox_that_does_not_exist_is_not_tried_again() -> None:
    async with mail_server() as target:
        with pytest.raises(TriggerError, match="550 there is no such mailbox") as caught:
            await fire(target, to=["nobody@example.com"])

    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("empty", "message"),
    [
        ({"to": []}, "to can't be empty"),
        ({"subject": ""}, "subject can't be empty"),
        ({"body": "", "parameters": []}, "body can't be empty"),
        ({"from": ""}, "from can't be empty"),
    ],
)
async def test_a_message_that_lacks_something_is_not_sent(
    empty: dict[str, Any], message: str
) -> None:
    async with mail_server() as target:
        with pytest.raises(TriggerError, match=message):
            await fire(target, **empty)

    assert target.messages == []


async def test_a_line_break_from_an_event_adds_no_header() -> None:
    async with mail_server() as target:
        await fire(target, subject="one\r\nBcc: eve@example.com")

    ((_, message),) = target.messages
    assert message["Subject"] == "one Bcc: eve@example.com"
    assert message["Bcc"] is None


async def test_tls_is_used_where_it_is_offered(server_certificate: Pair) -> None:
    async with mail_server(server_certificate) as target:
        await fire(target, tls=target.trusted()["tls"])

    assert target.encrypted == [True]
    assert target.users == [b"ada"]


async def test_a_certificate_that_nobody_trusts_is_an_error(server_certificate: Pair) -> None:
    async with mail_server(server_certificate) as target:
        with pytest.raises(TriggerError, match="certificate"):
            await fire(target)

    assert target.messages == []


async def test_a_tls_block_demands_tls() -> None:
    async with mail_server() as target:
        with pytest.raises(TriggerError, match="STARTTLS"):
            await fire(target, tls={"enabled": True})

    assert target.messages == []


async def test_port_465_speaks_tls_from_the_start(
    server_certificate: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mail_server(server_certificate, implicit=True) as target:
        monkeypatch.setattr("tiphys.triggers.email.IMPLICIT_TLS", target.port)
        await fire(target, tls=target.trusted()["tls"], username="")

    assert len(target.messages) == 1
    assert target.users == []


async def test_without_a_way_to_log_in_nobody_logs_in() -> None:
    async with mail_server(logins=False) as target:
        await fire(target)

    assert len(target.messages) == 1
    assert target.users == []


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ({"port": 70000}, ["host can't be empty", "port: 70000, port should be between 0-65535"]),
        ({"host": "h", "port": -1}, ["port: -1, port should be between 0-65535"]),
        ({"host": "h", "port": 25}, []),
    ],
)
def test_what_argo_events_refuses_is_refused(block: dict[str, Any], problems: list[str]) -> None:
    assert triggers.get("email").check(Config.model_validate(block)) == problems
