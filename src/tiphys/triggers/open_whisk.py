"""OpenWhisk: invokes an action and waits for its result (spec: triggers 15)."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import aiohttp
from aiohttp import encode_basic_auth, hdrs
from pydantic import Field
from yarl import URL

from tiphys.errors import TriggerError
from tiphys.manifests.common import Parameter, SecretRef, TriggerConfig, go_default
from tiphys.system import without_login
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared import payload
from tiphys.triggers._shared.http_client import SHOWN, reached, session
from tiphys.triggers._shared.secrets import retrieving

READ = 64 * 1024  # bytes of an answer that are read
# OpenWhisk itself gives up waiting for an action after a minute and answers 202.
TIMEOUT = aiohttp.ClientTimeout(total=90)


class Config(TriggerConfig):
    """Options of the openWhisk trigger."""

    host: str = Field(
        "",
        description="The API host; `https` unless a scheme says otherwise.",
        examples=["openwhisk.example.com"],
    )
    version: Annotated[str, go_default("v1")] = Field("v1", description="Version of the API.")
    namespace: Annotated[str, go_default("_")] = Field(
        "_", description="Namespace of the action; `_` is that of the token."
    )
    auth_token: SecretRef | None = Field(
        None, description="Secret that holds the key of the API, `user:password`."
    )
    action_name: str = Field("", description="Name of the action, with its package if any.")
    payload: list[Parameter] | None = Field(
        None, description="Values that make up the parameters of the action."
    )


@trigger("openWhisk", log_name="OpenWhisk")
class OpenWhisk(Trigger[Config]):
    """One request per firing; the key is read for every attempt."""

    has_status = True

    async def start(self, ctx: TriggerContext) -> None:
        """Prepare the session, which is closed with the sensor."""
        await super().start(ctx)
        self._session = await ctx.enter(session())

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Invoke the action; fails unless it succeeded in time."""
        config = firing.config
        body = payload.required(config.payload, firing.payload) or b"{}"
        url = _url(config)
        headers = {hdrs.CONTENT_TYPE: "application/json", **await self._login(config)}

        async def call() -> tuple[int, str]:
            async with self._session.post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=TIMEOUT,
            ) as answer:
                text = await answer.content.read(READ)
                return answer.status, text.decode(errors="replace")[:SHOWN]

        status, text = await reached(f"OpenWhisk at {url.host}", call)
        if not 200 <= status < 300 or status == 202:
            raise _failure(config.action_name, status, text)
        return Outcome(status=status, detail=text)

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What Argo Events refuses."""
        problems = []
        if not config.action_name:
            problems.append("action name is not specified")
        if not config.host:
            problems.append("host URL is not specified")
        if config.auth_token is not None and not (config.auth_token.name and config.auth_token.key):
            problems.append("auth token key and name must be specified")
        if config.payload is None:
            problems.append("payload parameters are not specified")
        return problems

    async def _login(self, config: Config) -> dict[str, str]:
        if config.auth_token is None:
            return {}
        with retrieving("auth token"):
            token = await self.ctx.secret(config.auth_token)
        user, _, password = token.strip().partition(":")
        return {hdrs.AUTHORIZATION: encode_basic_auth(user, password, encoding="utf-8")}


def _url(config: Config) -> URL:
    """The address of the action.  Raises :exc:`TriggerError`."""
    host = config.host.rstrip("/")
    host = host if "://" in host else f"https://{host}"
    path = "/".join(
        [
            *("api", quote(config.version, safe="")),
            *("namespaces", quote(config.namespace, safe="")),
            *("actions", quote(config.action_name.strip("/"), safe="/")),
        ]
    )
    try:
        url = URL(f"{host}/{path}?blocking=true&result=true", encoded=True)
        found = url.host  # which is parsed no sooner
    except ValueError as error:
        message = f"host URL {without_login(config.host)!r} is none: {without_login(str(error))}"
        raise TriggerError(message, retryable=False) from error
    if not found or not config.action_name:
        missing = "action name" if found else "host URL"
        raise TriggerError(f"{missing} is not specified", retryable=False)
    return url


def _failure(action: str, status: int, text: str) -> TriggerError:
    """
    The error for an answer that is no success.

    An action that failed by itself (502) or was not there in time (202) may succeed the next time.
    """
    why = f"it did not end in time: {text}" if status == 202 else f"status {status}: {text}"
    final = 300 <= status < 500 and status not in (408, 429)
    return TriggerError(f"failed to invoke action {action}, {why}", retryable=not final)
