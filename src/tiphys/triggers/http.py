"""HTTP: one request per firing; the answer's status goes to the trigger's status policy."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import Annotated

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    InvalidURL,
    TCPConnector,
    encode_basic_auth,
    hdrs,
)
from multidict import CIMultiDict
from pydantic import Field
from yarl import URL

from tiphys.errors import TriggerError
from tiphys.manifests.common import TLS, BasicAuth, Parameter, TriggerConfig, go_default
from tiphys.system import without_login
from tiphys.triggers import IDEMPOTENCY_KEY, Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._egress import GuardedResolver
from tiphys.triggers._shared.clients import ClientCache, tls_key
from tiphys.triggers._shared.http_client import reason
from tiphys.triggers._shared.secrets import SecureHeader, retrieving, secure_value

METHODS = ("GET", "DELETE", "PATCH", "POST", "PUT")
MAX_REDIRECTS = 10
LONGEST_WAIT = 300.0  # seconds that a server may ask to be left alone
SHOWN = 256  # characters of an answer that are kept for people
READ = 64 * 1024  # bytes of an answer that are read, so that its connection can be used again


class Config(TriggerConfig):
    """Options of the http trigger."""

    url: str = Field("", description="Where to send the request.", examples=["http://ci/hook"])
    method: Annotated[str, go_default("POST")] = Field(
        "POST", description="`GET`, `DELETE`, `PATCH`, `POST` or `PUT`."
    )
    payload: list[Parameter] | None = Field(None, description="Values that make up the body.")
    headers: dict[str, str] = Field({}, description="Sent as they are.")
    dynamic_headers: list[Parameter] = Field(
        [], description="Headers from events: `dest` is the name of the header."
    )
    secure_headers: list[SecureHeader] = Field(
        [], description="Headers from Secrets and ConfigMaps."
    )
    basic_auth: BasicAuth | None = Field(None, description="User and password, from Secrets.")
    host: str = Field("", description="Host header, where it differs from the URL's host.")
    timeout: int = Field(60, description="Seconds for the whole exchange; 60 for 0 and below.")
    tls: TLS | None = Field(None, description="TLS to the server; the system's defaults if absent.")


@trigger("http", log_name="HTTP")
class HTTP(Trigger[Config]):
    """Sends requests over connections that are kept open between firings."""

    has_status = True

    async def start(self, ctx: TriggerContext) -> None:
        """Prepare the sessions, which are closed with the sensor."""
        await super().start(ctx)
        self._sessions = await ctx.enter(ClientCache[ClientSession]())

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Send the request; any answer is an outcome."""
        config = firing.config
        try:
            url = URL(config.url)
        except ValueError as error:
            raise _no_request(config.url, str(error)) from error
        if not url.host:
            raise _no_request(config.url, "it has no host")
        try:
            headers = await self._headers(firing)
            session = await self._session(config)
            return await self._exchange(session, firing, url, headers)
        except (ClientError, OSError) as error:
            retryable = not isinstance(error, InvalidURL)
            place = f"{url.host}:{url.port}"
            message = f"failed to execute trigger, no answer from {place}: {reason(error)}"
            raise TriggerError(message, retryable=retryable) from error
        except TimeoutError as error:
            seconds = _timeout(config)
            message = f"failed to execute trigger, no answer from {url.host} in {seconds} s"
            raise TriggerError(message) from error

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What Argo Events refuses."""
        problems = []
        if not config.url:
            problems.append("server URL is not specified")
        if config.method not in METHODS:
            problems.append("only GET, DELETE, PATCH, POST and PUT methods are supported")
        return problems

    async def _session(self, config: Config) -> ClientSession:
        async def opened() -> ClientSession:
            context = True if config.tls is None else await self.ctx.tls(config.tls)
            # Proxies of the environment count only without a tls block, as in Argo Events.
            # Nor with rules on egress, which know only the addresses that are connected to.
            egress = self.ctx.egress
            resolver = GuardedResolver(egress) if egress else None
            return ClientSession(
                connector=TCPConnector(ssl=context, limit=0, resolver=resolver),
                trust_env=config.tls is None and not egress,
                auto_decompress=True,
            )

        with retrieving("certificates"):
            return await self._sessions.get(await tls_key(self.ctx, config.tls), opened)

    async def _exchange(
        self, session: ClientSession, firing: Firing[Config], url: URL, headers: CIMultiDict[str]
    ) -> Outcome:
        """The request, and those that redirects lead to."""
        method, body = firing.config.method, firing.payload
        async with asyncio.timeout(_timeout(firing.config)):
            for _ in range(MAX_REDIRECTS + 1):
                if not self.ctx.egress.permits_host(url.host or ""):
                    message = f"{url.host} is an address that actions may not reach"
                    raise TriggerError(message, retryable=False)
                async with session.request(
                    method,
                    url,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    skip_auto_headers=[hdrs.CONTENT_TYPE],
                    timeout=ClientTimeout(total=None),
                ) as answer:
                    text = await _beginning(answer)
                    target = _redirection(answer)
                    if target is None:
                        return Outcome(
                            status=answer.status, detail=text, retry_after=_retry_after(answer)
                        )
                    if answer.status in (301, 302, 303) and method != "HEAD":
                        method, body = "GET", None
                if target.origin() != url.origin():
                    headers = _without_credentials(headers)
                url = target
        raise TriggerError(f"failed to execute trigger, stopped after {MAX_REDIRECTS} redirects")

    async def _headers(self, firing: Firing[Config]) -> CIMultiDict[str]:
        """Plain, then dynamic, then secure headers; equal spellings replace each other."""
        config = firing.config
        headers = {IDEMPOTENCY_KEY: firing.action_id, **config.headers}
        for parameter in config.dynamic_headers:
            if parameter.src is not None and (value := firing.resolve(parameter)) is not None:
                headers[parameter.dest] = value
        for header in config.secure_headers:
            headers[header.name] = await secure_value(self.ctx, header)
        for name in [name for name in headers if name.lower() == "host"]:
            del headers[name]
        result = CIMultiDict(headers)
        if config.host:
            result[hdrs.HOST] = config.host
        if config.basic_auth is not None:
            result[hdrs.AUTHORIZATION] = await self._basic(config.basic_auth)
        return result

    async def _basic(self, auth: BasicAuth) -> str:
        values: list[str] = []
        for what, ref in (("username", auth.username), ("password", auth.password)):
            with retrieving(what):
                values.append("" if ref is None else await self.ctx.secret(ref))
        return encode_basic_auth(values[0], values[1], encoding="utf-8")


def _timeout(config: Config) -> int:
    return config.timeout if config.timeout > 0 else 60


async def _beginning(answer: ClientResponse) -> str:
    """The beginning of an answer for people; what is longer than :data:`READ` is not read."""
    body = b""
    while len(body) < READ and (chunk := await answer.content.read(READ - len(body))):
        body += chunk
    return body.decode(errors="replace")[:SHOWN]


def _redirection(answer: ClientResponse) -> URL | None:
    location = answer.headers.get(hdrs.LOCATION)
    if answer.status not in (301, 302, 303, 307, 308) or not location:
        return None
    return answer.url.join(URL(location))


def _retry_after(answer: ClientResponse) -> float:
    """The seconds to wait that the server asks for (RFC 9110, 10.2.3), at most five minutes."""
    text = answer.headers.get(hdrs.RETRY_AFTER, "")
    if text.isdigit():
        return min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    return min(max(0.0, moment.timestamp() - time.time()), LONGEST_WAIT)


def _without_credentials(headers: CIMultiDict[str]) -> CIMultiDict[str]:
    """What may be sent to another host than the one the credentials are for."""
    dropped = {"authorization", "cookie", "www-authenticate", "host"}
    return CIMultiDict((k, v) for k, v in headers.items() if k.lower() not in dropped)


def _no_request(address: str, problem: str) -> TriggerError:
    shown, problem = without_login(address), without_login(problem)  # which may quote the address
    return TriggerError(f"failed to construct request for {shown}, {problem}", retryable=False)
