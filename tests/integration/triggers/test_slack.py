"""Slack triggers against the Web API as Slack documents it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import structlog
from aiohttp import web

from tests._ports import free_port
from tests.integration.triggers._providers.slack import TOKEN, SlackAPI
from tiphys.aio import SystemClock
from tiphys.errors import TriggerError
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import triggers
from tiphys.triggers.slack import Config

N = {"src": {"dependencyName": "dep", "dataKey": "n"}}


class Waits(SystemClock):
    """A clock that writes waits down instead of waiting."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


class Workspace(Target):
    """A workspace with a bot."""

    def __init__(self) -> None:
        super().__init__()
        self.api = SlackAPI()
        self.port = free_port()
        self.waits = self.clock = Waits()
        self.secrets.values |= {"slack/token": TOKEN, "slack/wrong": "xoxb-of-somebody-else"}

    def block(self) -> dict[str, Any]:
        return {
            "slackToken": {"name": "slack", "key": "token"},
            "channel": "#builds",
            "message": "build ",
            "apiURL": f"http://127.0.0.1:{self.port}/api",
            "parameters": [{**N, "dest": "message", "operation": "append"}],
        }

    async def received(self) -> Sequence[Any]:
        return self.api.posts

    def unreachable(self) -> dict[str, Any]:
        return {**self.block(), "apiURL": f"http://127.0.0.1:{free_port()}/api"}

    def refused(self) -> dict[str, Any]:
        return {**self.block(), "slackToken": {"name": "slack", "key": "wrong"}}

    async def stall(self) -> None:
        self.api.flowing.clear()


class TestSlack(TriggerContract):
    key = "slack"

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Workspace]:
        workspace = Workspace()
        runner = web.AppRunner(workspace.api.application(), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", workspace.port).start()
        try:
            yield workspace
        finally:
            workspace.api.flowing.set()
            await runner.cleanup()


@contextlib.asynccontextmanager
async def posting(**block: Any) -> AsyncIterator[tuple[Workspace, Any]]:
    """A workspace, and the trigger to fire."""
    contract = TestSlack()
    async with contract.target() as workspace:
        options = {**workspace.block(), **block}
        async with contract.running(workspace, options) as running:
            yield workspace, running


async def test_parameters_have_an_effect_and_the_channel_loses_its_sign() -> None:
    async with posting() as (workspace, running):
        outcome = await running.fire()

    (post,) = workspace.api.posts
    assert post == {"channel": "builds", "text": "build 7", "token": TOKEN, "ts": post["ts"]}
    assert outcome.detail == post["ts"]


async def test_everything_that_can_be_said_is_sent() -> None:
    async with posting(
        attachments='[{"text": "a"}]',
        blocks='[{"type": "divider"}]',
        sender={"username": "ship", "icon": ":ship:"},
        thread={"broadcastMessageToChannel": True},
    ) as (workspace, running):
        await running.fire()

    (post,) = workspace.api.posts
    assert json.loads(post["attachments"]) == [{"text": "a"}]
    assert json.loads(post["blocks"]) == [{"type": "divider"}]
    assert (post["username"], post["icon_emoji"]) == ("ship", ":ship:")
    assert post["reply_broadcast"] == "true"


@pytest.mark.parametrize(
    ("icon", "sent", "warnings"),
    [("https://x.example/a.png", {"icon_url": "https://x.example/a.png"}, 0), ("ship", {}, 1)],
)
async def test_an_icon_is_an_emoji_or_a_url(icon: str, sent: dict[str, str], warnings: int) -> None:
    with structlog.testing.capture_logs() as lines:
        async with posting(sender={"icon": icon}) as (workspace, running):
            await running.fire()

    (post,) = workspace.api.posts
    assert {name: post[name] for name in post if name.startswith("icon")} == sent
    assert len([line for line in lines if line["log_level"] == "warning"]) == warnings


async def test_messages_with_one_key_make_one_thread() -> None:
    thread = {"messageAggregationKey": "release"}
    async with posting(thread=thread) as (workspace, running):
        await asyncio.gather(*(running.fire(action_id=f"action-{n}") for n in range(4)))

    first, *rest = workspace.api.posts
    assert "thread_ts" not in first
    assert [post["thread_ts"] for post in rest] == [first["ts"]] * 3


async def test_slack_is_given_the_time_it_asks_for() -> None:
    async with posting() as (workspace, running):
        workspace.api.limited = ["30", "2"]
        await running.fire()

    assert workspace.waits.pauses == [30.0, 2.0]
    assert len(workspace.api.posts) == 1


async def test_a_wait_that_is_too_long_is_left_to_the_retry_strategy() -> None:
    async with posting() as (workspace, running):
        workspace.api.limited = ["40", "40"]
        with pytest.raises(TriggerError, match="asks to wait 40 s") as caught:
            await running.fire()

    assert caught.value.retryable
    assert workspace.waits.pauses == [40.0]


@pytest.mark.parametrize(
    ("status", "error", "retryable"),
    [
        (503, "", True),
        (404, "", False),
        (200, "channel_is_archived", False),
        (200, "internal_error", True),
    ],
)
async def test_an_error_of_slack_fails_the_action(status: int, error: str, retryable: bool) -> None:
    async with posting() as (workspace, running):
        workspace.api.status, workspace.api.error = status, error
        with pytest.raises(TriggerError, match="failed to post to channel builds, ") as caught:
            await running.fire()

    assert caught.value.retryable is retryable


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"channel": ""}, "no slack channel provided"),
        ({"message": "", "parameters": []}, "no text to post: At least one of message/attach"),
        ({"blocks": '{"type": "divider"}'}, "failed to post to channel builds, blocks is not a"),
        ({"attachments": "[{"}, "failed to post to channel builds, attachments is not JSON"),
        ({"channel": "nowhere"}, "failed to post to channel nowhere, channel_not_found"),
        ({"slackToken": {"name": "gone", "key": "x"}}, "failed to retrieve the slack token"),
    ],
)
async def test_what_cannot_be_posted_says_why(block: dict[str, Any], message: str) -> None:
    async with posting(**block) as (workspace, running):
        with pytest.raises(TriggerError, match=message):
            await running.fire()

    assert workspace.api.posts == []


def test_a_token_is_demanded() -> None:
    check = triggers.get("slack").check

    assert check(Config.model_validate({})) == ["slack token can't be empty"]
    assert check(Config.model_validate({"slackToken": {"name": "s", "key": "k"}})) == []
