"""Amazon SNS: notifications of a topic, whose subscription is kept (event sources 7.8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import orjson
import structlog
from pydantic import Field

from tiphys.aio import capped_backoff, stop
from tiphys.errors import SourceError, TiphysError
from tiphys.ingest import Refused, Reply, Request
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared.aws import (
    AWSClients,
    AWSConfig,
    credentials_problems,
    require_aiobotocore,
)
from tiphys.sources._shared.deliveries import event_id
from tiphys.sources._shared.embedding import NotJSON, raw_json, raw_members
from tiphys.sources._shared.hooks import hook_url
from tiphys.sources._shared.rules import missing
from tiphys.sources._shared.sns_signatures import BadSignature, Signatures, require_cryptography

EVERY = 60.0  # seconds from one subscription to the next, which changes nothing where there is one
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds from a failure to the next attempt
CLEAN_UP = 8.0  # seconds for ending the subscription; the grace of a stopping service is 10
MEMBERS = (
    "Type",
    "MessageId",
    "Token",
    "TopicArn",
    "Subject",
    "Message",
    "SubscribeURL",
    "Timestamp",
    "SignatureVersion",
    "Signature",
    "SigningCertURL",
    "UnsubscribeURL",
)
NOTHING = Reply(200)
log = structlog.get_logger("argo-events.eventsource")


class Config(AWSConfig):
    """One endpoint, and the topic that delivers to it."""

    webhook: WebhookContext = Field(description="Where the endpoint is and who may use it.")
    topic_arn: str = Field("", description="ARN of the topic.")
    validate_signature: bool = Field(
        False, description="Demand that every message is signed by SNS, and of this topic."
    )


@source("sns", delivery="sender-driven", replicas="many")
class SNS(PushSource[Config]):
    """Header and envelope of a notification are the payload."""

    inactive = b"inactive endpoint"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._confirmed: str | None = None  # the subscription that we confirmed
        self._signatures: Signatures | None = None
        self._aws = AWSClients("sns", "sns", config)

    @property
    def webhook(self) -> WebhookContext:
        """The context in the block."""
        return self.config.webhook

    def check(self) -> list[str]:
        """What Argo Events refuses."""
        config = self.config
        problems = missing(topicArn=config.topic_arn, region=config.region)
        return [*problems, *credentials_problems(config), *super().check()]

    async def receive(self, request: Request, ctx: SourceContext) -> Incoming | Reply:
        """Check the signature; confirm the subscription; ignore what is no notification."""
        message = _message(request.body)
        texts = _texts(message)
        if self.config.validate_signature:
            await self._check_signature(texts, ctx)
        if texts["Type"] == "SubscriptionConfirmation":
            await self._confirm(texts["Token"], ctx)
            return NOTHING
        if texts["Type"] != "Notification":
            return NOTHING
        id = event_id(ctx, texts["MessageId"]) if texts["MessageId"] else None
        # Not all the text as it came: of a member that occurs twice, one might not be signed.
        return Incoming({"header": request.headers, "body": message}, id)

    @asynccontextmanager
    async def active(self, ctx: SourceContext) -> AsyncIterator[None]:
        """Subscribe, and end the subscription that was confirmed here."""
        if self.config.validate_signature:
            require_cryptography()
        try:
            if not self.config.webhook.url:
                yield
                return
            require_aiobotocore("sns")
            task = asyncio.create_task(self._keep_subscribed(ctx))
            try:
                yield
            finally:
                await stop(task)
                await self._unsubscribe(ctx)
        finally:
            await self._aws.close()

    async def _keep_subscribed(self, ctx: SourceContext) -> NoReturn:
        """
        Subscribe again and again, which SNS takes for the same subscription.

        So it comes back when somebody ends it, such as the Pod that this one replaces.
        """
        pauses = capped_backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            problem = await self._problem_of_subscribing(ctx)
            ctx.report(problem and f"the topic cannot be subscribed to: {problem}")
            if problem is None:
                pauses = capped_backoff(FIRST_PAUSE, LONGEST_PAUSE)
            await ctx.clock.sleep(EVERY if problem is None else next(pauses))

    async def _problem_of_subscribing(self, ctx: SourceContext) -> str | None:
        """Subscribe, and say what went wrong."""
        try:
            await self._subscribe(ctx)
        except TiphysError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a bug must not end the care for the subscription
            _log(ctx).error("The topic could not be subscribed to", exc_info=True)
            return f"{type(error).__name__}: {error}"
        return None

    async def _subscribe(self, ctx: SourceContext) -> None:
        url = hook_url(self.config.webhook)
        protocol = "https" if "https://" in url else "http"
        async with self._aws.client(ctx) as client:
            await client.subscribe(TopicArn=self.config.topic_arn, Protocol=protocol, Endpoint=url)

    async def _confirm(self, token: str, ctx: SourceContext) -> None:
        """Tell SNS that we want what it offers; only for our topic, whatever the message says."""
        try:
            async with self._aws.client(ctx) as client:
                answer = await client.confirm_subscription(
                    TopicArn=self.config.topic_arn, Token=token
                )
        except TiphysError as error:
            raise Refused(
                400, "the subscription cannot be confirmed", reason="confirm", cause=str(error)
            ) from error
        self._confirmed = answer["SubscriptionArn"]
        _log(ctx).info("Confirmed the subscription", subscription=self._confirmed)

    async def _unsubscribe(self, ctx: SourceContext) -> None:
        if self._confirmed is None:
            return
        try:
            async with asyncio.timeout(CLEAN_UP), self._aws.client(ctx) as client:
                await client.unsubscribe(SubscriptionArn=self._confirmed)
        except (TiphysError, TimeoutError) as error:
            _log(ctx).warning(
                "The subscription was left behind",
                subscription=self._confirmed,
                error=str(error) or "no answer in time",
            )
        self._confirmed = None

    async def _check_signature(self, texts: dict[str, str], ctx: SourceContext) -> None:
        if self._signatures is None:
            self._signatures = Signatures(ctx.clock)
        if texts["TopicArn"] != self.config.topic_arn:
            raise Refused(400, "the message is of another topic", reason="signature")
        try:
            await self._signatures.check(texts)
        except BadSignature as error:
            raise Refused(400, str(error), reason="signature") from None
        except SourceError as error:  # SNS sends again what is answered so, and nothing after 400
            raise Refused(
                503,
                "the signature cannot be checked now",
                reason="signature",
                headers={"retry-after": "5"},
                cause=str(error),
            ) from error


def _message(body: bytes) -> dict[str, orjson.Fragment]:
    """The members of the envelope, each with its text."""
    try:
        value = raw_json(body)
    except NotJSON as error:
        raise Refused(400, f"the body is not JSON: {error}", reason="body") from None
    message = raw_members(value)
    if message is not None:
        return message
    if body.strip() == b"null":
        text = "bad request, not a valid SNS notification"
        raise Refused(400, text, reason="body", failure=False)
    raise Refused(400, "the body is not a JSON object", reason="body")


def _texts(message: Mapping[str, orjson.Fragment]) -> dict[str, str]:
    """The known members, empty where they are missing."""
    texts = {}
    for name in MEMBERS:
        text = orjson.dumps(message[name]) if name in message else b"null"
        if text != b"null" and not text.startswith(b'"'):
            raise Refused(400, f"`{name}` is not a text", reason="body")
        texts[name] = orjson.loads(text) or ""
    return texts


def _log(ctx: SourceContext) -> Any:
    return log.bind(eventSourceName=ctx.event_source, eventName=ctx.event_name)
