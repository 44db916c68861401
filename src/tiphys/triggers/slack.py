"""Slack: posts a message to a channel, or to a thread in it (spec: triggers 11)."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from typing import Any

import orjson
import structlog
from aiohttp import ClientResponse
from pydantic import Field

from tiphys.errors import TriggerError
from tiphys.manifests.common import EXTENSION, Block, SecretRef, TriggerConfig
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger
from tiphys.triggers._shared.http_client import reached, session
from tiphys.triggers._shared.secrets import retrieving

API = "https://slack.com/api"
PATIENCE = 60.0  # seconds that Slack may ask to wait, in all; longer waits are for the engine
REMEMBERED = 4096  # threads
# Codes of https://docs.slack.dev/reference/methods/chat.postMessage that may pass.
_PASSING = {"fatal_error", "internal_error", "ratelimited", "request_timeout"} | {
    "service_unavailable",
    "rate_limited",
}

log = structlog.get_logger("argo-events.sensor")


class Thread(Block):
    """Which messages belong together."""

    message_aggregation_key: str = Field(
        "", description="Messages with the same key go to one thread of the channel."
    )
    broadcast_message_to_channel: bool = Field(
        False, description="Show the messages of the thread in the channel as well."
    )


class Sender(Block):
    """Under which name a message appears."""

    username: str = Field("", description="Name that is shown.")
    icon: str = Field("", description="Emoji such as `:ship:`, or the URL of a picture.")


class Config(TriggerConfig):
    """Options of the slack trigger."""

    slack_token: SecretRef | None = Field(
        None, description="Secret that holds the token of a bot with the scope `chat:write`."
    )
    channel: str = Field("", description="Name or id of the channel.", examples=["builds"])
    message: str = Field("", description="The text, in Slack's mrkdwn.")
    attachments: str = Field("", description="JSON list of attachments.")
    blocks: str = Field("", description="JSON list of blocks.")
    thread: Thread | None = Field(None, description="Puts messages into threads.")
    sender: Sender | None = Field(None, description="Replaces the name and icon of the bot.")
    api_url: str = Field(
        API,
        alias="apiURL",
        description="Where the Web API is, for GovSlack and for tests.",
        json_schema_extra=EXTENSION,
    )


class Threads:
    """The first message of each thread, by channel and key; the longest unused is forgotten."""

    def __init__(self) -> None:
        self._first: OrderedDict[tuple[str, ...], str] = OrderedDict()
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def first(self, *key: str) -> AsyncIterator[str | None]:
        """The first message; the first one to post is let through alone."""
        if key in self._first:
            self._first.move_to_end(key)
            yield self._first[key]
            return
        async with self._lock:
            yield self._first.get(key)

    def remember(self, message: str, *key: str) -> None:
        """Keep *message* as the first of its thread, unless there is one."""
        self._first.setdefault(key, message)
        if len(self._first) > REMEMBERED:
            self._first.popitem(last=False)


@trigger("slack", log_name="Slack")
class Slack(Trigger[Config]):
    """Calls ``chat.postMessage``; the token is read for every attempt."""

    async def start(self, ctx: TriggerContext) -> None:
        """Prepare the session, which is closed with the sensor."""
        await super().start(ctx)
        self._session = await ctx.enter(session())
        self._threads = Threads()

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Post the message."""
        config = firing.config
        channel = config.channel.removeprefix("#")
        if not channel:
            raise TriggerError("no slack channel provided", retryable=False)
        form = _form(config, channel)
        if config.slack_token is None:
            raise TriggerError("slack token can't be empty", retryable=False)
        with retrieving("slack token"):
            form["token"] = await self.ctx.secret(config.slack_token)
        key = config.thread.message_aggregation_key if config.thread else ""
        if not key:
            return Outcome(status=200, detail=await self._post(config, channel, form))
        async with self._threads.first(config.channel, key) as first:
            if first is not None:
                form["thread_ts"] = first
            message = await self._post(config, channel, form)
            self._threads.remember(message, config.channel, key)
        return Outcome(status=200, detail=message)

    @classmethod
    def check(cls, config: Config) -> list[str]:
        """What Argo Events refuses."""
        return [] if config.slack_token else ["slack token can't be empty"]

    async def _post(self, config: Config, channel: str, form: dict[str, str]) -> str:
        """
        The timestamp of the posted message, which is its id.

        Waits as Slack asks for, up to :data:`PATIENCE`.
        """
        url = f"{config.api_url.rstrip('/')}/chat.postMessage"
        waited = 0.0
        while True:
            status, pause, answer = await reached("Slack", lambda: self._call(url, form))
            if status != 429:
                return _posted(channel, status, answer)
            waited += pause
            if waited > PATIENCE:
                message = f"failed to post to channel {channel}, Slack asks to wait {pause:g} s"
                raise TriggerError(message)
            await self.ctx.clock.sleep(pause)

    async def _call(self, url: str, form: dict[str, str]) -> tuple[int, float, Any]:
        """Status, seconds to wait, and the answer, None when that is not JSON."""
        async with self._session.post(url, data=form, allow_redirects=False) as answer:
            text = await answer.read()
            try:
                document = orjson.loads(text)
            except orjson.JSONDecodeError:
                document = None
            return answer.status, _pause(answer), document


def _form(config: Config, channel: str) -> dict[str, str]:
    """The fields of the call, without the token.  Raises :exc:`TriggerError`."""
    form = {"channel": channel, "text": config.message}
    for name in ("attachments", "blocks"):
        text = getattr(config, name)
        if text:
            form[name] = _list(channel, name, text)
    if not any(form.get(name) for name in ("text", "attachments", "blocks")):
        message = "no text to post: At least one of message/attachments/blocks should be provided"
        raise TriggerError(message, retryable=False)
    if config.sender is not None:
        form["username"] = config.sender.username
        form |= _icon(config.sender.icon)
    if config.thread is not None and config.thread.broadcast_message_to_channel:
        form["reply_broadcast"] = "true"
    return {name: value for name, value in form.items() if value}


def _list(channel: str, name: str, text: str) -> str:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"failed to post to channel {channel}, {name} is not JSON: {error}"
        raise TriggerError(message, retryable=False) from error
    if not isinstance(value, list):
        message = f"failed to post to channel {channel}, {name} is not a JSON list"
        raise TriggerError(message, retryable=False)
    return orjson.dumps(value).decode()


def _icon(icon: str) -> dict[str, str]:
    if icon.startswith(("http://", "https://")):
        return {"icon_url": icon}
    if len(icon) > 2 and icon.startswith(":") and icon.endswith(":"):
        return {"icon_emoji": icon}
    if icon:
        log.warning("icon is neither an emoji nor a URL and is ignored", icon=icon)
    return {}


def _pause(answer: ClientResponse) -> float:
    """The seconds that Slack asks to wait; 1 where it does not say."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 1.0


def _posted(channel: str, status: int, answer: Any) -> str:
    """The timestamp in Slack's answer.  Raises :exc:`TriggerError`."""
    failed = f"failed to post to channel {channel}"
    if status != 200 or not isinstance(answer, dict):
        final = 300 <= status < 500
        raise TriggerError(f"{failed}, Slack answered with status {status}", retryable=not final)
    if answer.get("ok") is not True:
        code = str(answer.get("error", "unknown_error"))
        raise TriggerError(f"{failed}, {code}", retryable=code in _PASSING)
    return str(answer.get("ts", ""))
