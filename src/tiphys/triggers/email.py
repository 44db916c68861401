"""Email: one message per address over SMTP (spec: triggers 12)."""

from __future__ import annotations

import hashlib
import re
import ssl
from collections import OrderedDict
from email.errors import MessageError
from email.message import EmailMessage
from email.policy import SMTP as LINES
from email.utils import format_datetime, parseaddr

import aiosmtplib
from pydantic import Field

from tiphys.errors import TriggerError
from tiphys.manifests.common import EXTENSION, TLS, SecretRef, TriggerConfig
from tiphys.system import without_login
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared.secrets import retrieving

TIMEOUT = 30.0  # seconds for the connection, and for each answer of the server
IMPLICIT_TLS = 465
LOCAL = ("localhost", "127.0.0.1", "::1")
REMEMBERED = 4096  # actions of which is known who got the message already
_SPECIAL = r"\s@<>(),;:\\\"\[\]"  # what an address has in quotes only
_ADDRESS = re.compile(rf"[^{_SPECIAL}]+@[^{_SPECIAL}.]+(\.[^{_SPECIAL}.]+)*")
_LINE_BREAKS = re.compile(r"[\r\n]+")


class Config(TriggerConfig):
    """Options of the email trigger."""

    host: str = Field("", description="The SMTP server.", examples=["smtp.example.com"])
    port: int = Field(
        0, description="Its port. 465 means TLS from the start, others STARTTLS where offered."
    )
    username: str = Field("", description="Who logs in; nobody when this or the password is empty.")
    smtp_password: SecretRef | None = Field(None, description="Secret that holds the password.")
    to: list[str] = Field([], description="Addresses; each gets a message of its own.")
    from_: str = Field("", alias="from", description="Address of the sender.")
    subject: str = Field("", description="Subject of the message.")
    body: str = Field("", description="The message, plain text.")
    tls: TLS | None = Field(
        None,
        description="Demands TLS and says whom to trust; without it, TLS is used where offered.",
        json_schema_extra=EXTENSION,
    )


@trigger("email", log_name="Email")
class Email(Trigger[Config]):
    """
    A connection per attempt.

    Addresses that got the message of an action are remembered, in memory, so that another attempt
    is for the others only.
    """

    async def start(self, ctx: TriggerContext) -> None:
        """Nobody got a message yet."""
        await super().start(ctx)
        self._delivered: OrderedDict[str, set[str]] = OrderedDict()

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Send to each address; fails, with all reasons, after all of them were tried."""
        config = firing.config
        _demand_content(config)
        delivered = self._delivered_to(firing.action_id)
        failures: list[str] = []
        worth_another_try = False
        addresses = [address for address in config.to if address not in delivered]
        client = await self._client(config)
        try:
            for address in addresses:
                try:
                    message = self._message(firing, address)
                    await self._connect(client, config)
                    await _send(client, message)
                except TriggerError as error:
                    failures.append(str(error))
                    worth_another_try |= error.retryable
                else:
                    delivered.add(address)
            if client.is_connected and not failures:
                await _quit(client)
        finally:
            client.close()
        if failures:
            raise TriggerError("; ".join(failures), retryable=worth_another_try)
        return Outcome(detail=f"sent to {len(config.to)} addresses")

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What Argo Events refuses."""
        problems = []
        if not config.host:
            problems.append("host can't be empty")
        if not 0 <= config.port <= 65535:
            problems.append(f"port: {config.port}, port should be between 0-65535")
        return problems

    def _delivered_to(self, action_id: str) -> set[str]:
        delivered = self._delivered.setdefault(action_id, set())
        self._delivered.move_to_end(action_id)
        if len(self._delivered) > REMEMBERED:
            self._delivered.popitem(last=False)
        return delivered

    async def _client(self, config: Config) -> aiosmtplib.SMTP:
        with retrieving("certificates"):
            context = (
                ssl.create_default_context()
                if config.tls is None
                else await self.ctx.tls(config.tls)
            )
        implicit = config.port == IMPLICIT_TLS
        return aiosmtplib.SMTP(
            hostname=config.host,
            port=config.port,
            use_tls=implicit,
            start_tls=False if implicit else (True if config.tls else None),
            tls_context=context,
            timeout=TIMEOUT,
        )

    async def _connect(self, client: aiosmtplib.SMTP, config: Config) -> None:
        """Connect and log in, unless that was done for another address."""
        if client.is_connected:
            return
        server = f"{without_login(config.host)}:{config.port}"
        try:
            await client.connect()
            if config.username and config.smtp_password is not None:
                await self._log_in(client, config)
        except aiosmtplib.SMTPResponseException as error:
            message = f"{server} refused the connection, {error.code} {error.message}"
            raise TriggerError(message, retryable=error.code < 500) from error
        except ssl.SSLCertVerificationError as error:
            message = f"the certificate of {server} is not trusted: {error.verify_message}"
            raise TriggerError(message) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            text = str(error).replace(config.host, without_login(config.host))
            raise TriggerError(f"no connection to {server}: {text}") from error

    async def _log_in(self, client: aiosmtplib.SMTP, config: Config) -> None:
        """Log in where the server knows how; never in the clear over a network."""
        assert config.smtp_password is not None
        with retrieving("smtp password"):
            password = await self.ctx.secret(config.smtp_password)
        if client.is_ehlo_or_helo_needed:  # STARTTLS makes what the server said before void
            await client.ehlo()
        if not password or not client.server_auth_methods:
            return
        encrypted = client.get_transport_info("sslcontext") is not None
        concealed = "cram-md5" in client.server_auth_methods
        if not (encrypted or concealed or config.host in LOCAL):
            message = f"{config.host} offers no TLS, so the password is not sent to it"
            raise TriggerError(message, retryable=False)
        if encrypted or config.host in LOCAL:
            await client.login(config.username, password)
        else:
            await client.auth_crammd5(config.username, password)

    def _message(self, firing: Firing[Config], address: str) -> EmailMessage:
        """The message for one address; the same ``Message-ID`` for every attempt."""
        config = firing.config
        recipient = ascii_domain(parseaddr(address)[1])
        if not (_ADDRESS.fullmatch(recipient) and address.isprintable()):
            raise TriggerError(f"to emailId can't be invalid {address}", retryable=False)
        sender = ascii_domain(parseaddr(config.from_)[1])
        digest = hashlib.sha256(f"{firing.action_id}\0{recipient}".encode()).hexdigest()[:32]
        message = EmailMessage(policy=LINES)
        try:
            message["From"] = config.from_
            message["To"] = address
            message["Subject"] = _LINE_BREAKS.sub(" ", config.subject)
            message["Date"] = format_datetime(self.ctx.clock.now())
            message["Message-ID"] = f"<{digest}@{sender.rpartition('@')[2] or 'tiphys'}>"
            message.set_content(config.body, cte="quoted-printable")
        except (ValueError, MessageError) as error:
            reason = f"failed to send emails to emailId {address}, {error}"
            raise TriggerError(reason, retryable=False) from error
        return message


async def _send(client: aiosmtplib.SMTP, message: EmailMessage) -> None:
    """Hand one message over.  Raises :exc:`TriggerError`."""
    address = message["To"]
    recipient = ascii_domain(parseaddr(address)[1])
    sender = ascii_domain(parseaddr(message["From"])[1])
    try:
        await client.send_message(message, sender=sender, recipients=[recipient])
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        cause = error
        if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
            cause = error.recipients[0]
        code = getattr(cause, "code", 0)
        final = code >= 500 or isinstance(cause, aiosmtplib.SMTPNotSupported)
        text = f"{code} {getattr(cause, 'message', '')}" if code else str(cause)
        reason = f"failed to send emails to emailId {address}, {text}"
        raise TriggerError(reason, retryable=not final) from error


async def _quit(client: aiosmtplib.SMTP) -> None:
    """Say good-bye; the messages are delivered whatever the server answers."""
    try:
        await client.quit(timeout=1)
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        return


def ascii_domain(address: str) -> str:
    """*address* with its domain as it stands in the DNS; unchanged where that cannot be."""
    local, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return local + at + domain.encode("idna").decode("ascii")
    except UnicodeError:
        return address


def _demand_content(config: Config) -> None:
    """Raise :exc:`TriggerError` for the first thing without which there is no message."""
    parts = {
        "port": config.port,
        "to": config.to,
        "from": config.from_,
        "body": config.body,
        "subject": config.subject,
    }
    for name, value in parts.items():
        if not value:
            raise TriggerError(f"{name} can't be empty", retryable=False)
