"""
StorageGRID: notifications of a bucket, which is told to send them (spec: event sources 7.10).

StorageGRID takes the endpoint for an SNS server: it publishes a form, and wants XML back.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from xml.etree import ElementTree

import orjson
import structlog
from pydantic import Field

from tiphys.aio import capped_backoff, stop
from tiphys.errors import EventDecodeError, TiphysError
from tiphys.events import parse_time
from tiphys.ingest import Reply, Request
from tiphys.manifests.common import TLS, Block, SecretRef, SourceConfig
from tiphys.manifests.webhook import WebhookContext
from tiphys.sources._base import Incoming, PushSource, SourceContext, source
from tiphys.sources._shared.deliveries import digest, event_id
from tiphys.sources._shared.forms import parse_form
from tiphys.sources._shared.hooks import FIRST_PAUSE, LONGEST_PAUSE, hook_url
from tiphys.sources._shared.rest import API, APIError, api, escaped, objects
from tiphys.sources._shared.rules import missing, tls_problems, url_problems

HINTS = {
    401: "is `authToken` right? Tokens of StorageGRID expire",
    403: "may the user manage endpoints and notifications?",
}
XML = {"content-type": "text/xml"}
PUBLISHED = (
    '<PublishResponse xmlns="http://argoevents-sns-server/">'
    f"<PublishResult><MessageId>{uuid.uuid4()}</MessageId></PublishResult>"
    f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
    "</PublishResponse>"
).encode()
NEVER = "0001-01-01T00:00:00Z"  # what Go makes of a time that is missing
_FRACTION = re.compile(r"(\.\d*?)0+(?=[Zz+-])")
log = structlog.get_logger("argo-events.eventsource")
T = TypeVar("T", str, int, dict[str, Any])


class KeyFilter(Block):
    """Which objects are of interest."""

    prefix: str = Field("", description="What the object's key begins with.")
    suffix: str = Field("", description="What the object's key ends with.")


class Config(SourceConfig):
    """One endpoint, and the bucket that notifies it."""

    webhook: WebhookContext = Field(description="Where the endpoint is and who may use it.")
    events: list[str] | None = Field(
        None, description="Events that the bucket notifies of, such as `s3:ObjectCreated:*`."
    )
    filter: KeyFilter | None = Field(  # type: ignore[assignment]
        None, description="Objects whose notifications are events; others are dropped."
    )
    topic_arn: str = Field("", description="URN of the endpoint in StorageGRID.")
    bucket: str = Field("", description="Name of the bucket.")
    region: str = Field("", description="Accepted; without effect, as in Argo Events.")
    auth_token: SecretRef | None = Field(None, description="Token for the tenant management API.")
    api_url: str = Field(
        "",
        alias="apiURL",
        description="The API, such as `https://grid.example.com/api/v3`.",
    )
    tls: TLS | None = Field(None, description="TLS to the API.")

    def doubts(self) -> list[str]:
        """Half a client certificate, which is not used."""
        return tls_problems(self.tls) if self.tls and self.tls.enabled else []


@source("storageGrid", event_type="storagegrid", delivery="sender-driven", replicas="many")
class StorageGrid(PushSource[Config]):
    """The notification, with what Argo Events knows of its records, is the payload."""

    inactive = b"inactive endpoint"

    @property
    def webhook(self) -> WebhookContext:
        """The context in the block."""
        return self.config.webhook

    def check(self) -> list[str]:
        """What Argo Events refuses."""
        config = self.config
        problems = missing(
            topicArn=config.topic_arn,
            apiURL=config.api_url,
            authToken=config.auth_token,
            bucket=config.bucket,
            events=config.events is not None,
        )
        problems += url_problems(apiURL=config.api_url)
        if not (config.tls and config.tls.enabled):
            problems += tls_problems(config.tls)
        return [*problems, *super().check()]

    def too_large(self, request: Request) -> Reply:
        """The answer of Argo Events."""
        return Reply(400)

    def accepted(self, request: Request, headers: Mapping[str, str]) -> Reply:
        """What SNS answers."""
        return Reply(200, PUBLISHED, {**XML, **headers})

    async def receive(self, request: Request, ctx: SourceContext) -> Incoming | Reply:
        """Read the form; what is no notification is not asked for again."""
        if request.method == "HEAD":
            return Reply(200, b"", XML)
        try:
            notification = _notification(request.body)
        except _Broken as error:
            return Incoming({}, problem=str(error))
        records = notification["Message"]["Records"] or []
        unwanted = None if self._passes(records) else "the key does not pass the filter"
        return Incoming({"notification": notification}, _id(records, ctx), unwanted=unwanted)

    @asynccontextmanager
    async def active(self, ctx: SourceContext) -> AsyncIterator[None]:
        """Register endpoint and notifications in the background."""
        if not self.config.webhook.url:
            yield
            return
        task = asyncio.create_task(self._keep_trying(ctx))
        try:
            yield
        finally:
            await stop(task)

    async def _keep_trying(self, ctx: SourceContext) -> None:
        """Register until it works; report why it does not."""
        pauses = capped_backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            try:
                await self._register(ctx)
            except TiphysError as error:
                problem = str(error)
                wait = error.wait or 0.0 if isinstance(error, APIError) else 0.0
            except Exception as error:  # noqa: BLE001 - a bug must not end the care for it
                _log(ctx).error("The endpoint could not be registered", exc_info=True)
                problem, wait = f"{type(error).__name__}: {error}", 0.0
            else:
                ctx.report(None)
                return
            ctx.report(problem)
            await ctx.clock.sleep(max(wait, next(pauses)))

    async def _register(self, ctx: SourceContext) -> None:
        """Raises :exc:`APIError` and :exc:`SecretError`."""
        config = self.config
        assert config.auth_token is not None  # see check()
        tls = await ctx.tls(config.tls) if config.tls else None
        async with api("StorageGRID", config.api_url, ctx.clock, hints=HINTS, tls=tls) as client:
            client.headers["Authorization"] = f"Bearer {await ctx.secret(config.auth_token)}"
            await self._register_endpoint(client, ctx)
            await client.call(
                "PUT",
                f"org/containers/{escaped(config.bucket)}/notification",
                {"notification": _configuration(config, ctx.event_name)},
            )

    async def _register_endpoint(self, client: API, ctx: SourceContext) -> None:
        """Make the endpoint unless there is one with the URN."""
        urn, url = self.config.topic_arn, hook_url(self.config.webhook)
        answer = await client.call("GET", "org/endpoints")
        if not isinstance(answer.data, dict):
            raise APIError("StorageGRID answers in another form; is `apiURL` right?")
        for endpoint in objects(answer.data.get("data") or []):
            if endpoint.get("endpointURN") == urn:
                if endpoint.get("endpointURI") != url:
                    _log(ctx).warning(
                        "The endpoint in StorageGRID leads elsewhere; correct or delete it there",
                        urn=urn,
                        uri=endpoint.get("endpointURI"),
                    )
                return
        await client.call(
            "POST",
            "org/endpoints",
            {
                "displayName": ctx.event_name,
                "endpointURI": url,
                "endpointURN": urn,
                "authType": "anonymous",
                "insecureTLS": True,
            },
        )
        _log(ctx).info("Created an endpoint in StorageGRID", urn=urn)

    def _passes(self, records: list[dict[str, Any]]) -> bool:
        """The key of the first record decides; without one there is no key that could pass."""
        wanted = self.config.filter
        if wanted is None:
            return True
        key = records[0]["s3"]["object"]["key"] if records else None
        return key is not None and key.startswith(wanted.prefix) and key.endswith(wanted.suffix)


class _Broken(ValueError):
    """The request holds no notification; the text says why."""


def _configuration(config: Config, name: str) -> str:
    """The notification configuration of the bucket, as S3 has it."""
    root = ElementTree.Element("NotificationConfiguration")
    topic = ElementTree.SubElement(root, "TopicConfiguration")
    ElementTree.SubElement(topic, "Id").text = name
    ElementTree.SubElement(topic, "Topic").text = config.topic_arn
    for event in config.events or []:
        ElementTree.SubElement(topic, "Event").text = event
    return ElementTree.tostring(root, encoding="unicode")


def _notification(body: bytes) -> dict[str, Any]:
    """The form's members.  Raises :exc:`_Broken`."""
    fields, problem = parse_form(body.decode("utf-8", "replace"))
    if problem:
        raise _Broken(f"the form is malformed: {problem}")
    form = {name: values[0] for name, values in fields.items()}
    try:
        message = orjson.loads(form.get("Message", ""))
    except orjson.JSONDecodeError as error:
        raise _Broken(f"`Message` is not JSON: {error}") from None
    if not isinstance(message, dict):
        raise _Broken("`Message` is not a JSON object")
    records = message.get("Records")
    if not isinstance(records, list | None):
        raise _Broken("`Records` is not a list")
    return {
        "Action": form.get("Action", ""),
        "Message": {"Records": records and [_record(record) for record in records]},
        "TopicArn": form.get("TopicArn", ""),
        "Version": form.get("Version", ""),
    }


def _record(record: Any) -> dict[str, Any]:
    """The members of a record that the payload has, with their zero values."""
    if not isinstance(record, dict):
        raise _Broken("a record is not an object")
    s3 = _member(record, "s3", {})
    bucket, item = _member(s3, "bucket", {}), _member(s3, "object", {})
    return {
        "eventVersion": _member(record, "eventVersion", ""),
        "storageGridEventSource": _member(record, "storageGridEventSource", ""),
        "eventTime": _time(_member(record, "eventTime", "")),
        "eventName": _member(record, "eventName", ""),
        "userIdentity": _only(record, "userIdentity", "principalId"),
        "requestParameters": _only(record, "requestParameters", "sourceIPAddress"),
        "responseElements": _only(record, "responseElements", "x-amz-request-id"),
        "s3": {
            "s3SchemaVersion": _member(s3, "s3SchemaVersion", ""),
            "configurationId": _member(s3, "configurationId", ""),
            "bucket": {
                "name": _member(bucket, "name", ""),
                "ownerIdentity": _only(bucket, "ownerIdentity", "principalId"),
                "arn": _member(bucket, "arn", ""),
            },
            "object": {
                "key": _member(item, "key", ""),
                "size": _member(item, "size", 0),
                "eTag": _member(item, "eTag", ""),
                "sequencer": _member(item, "sequencer", ""),
            },
        },
    }


def _only(record: dict[str, Any], name: str, member: str) -> dict[str, str]:
    return {member: _member(_member(record, name, {}), member, "")}


def _member(record: dict[str, Any], name: str, zero: T) -> T:
    """A member of the type of *zero*, which stands for a missing one."""
    value = record.get(name)
    if value is None:
        return zero
    if type(value) is not type(zero):
        raise _Broken(f"`{name}` is not of the type {type(zero).__name__}")
    return value


def _time(text: str) -> str:
    """An RFC 3339 time as Go writes it, without zeros at the end of the fraction."""
    try:
        parse_time(text)
    except EventDecodeError as error:
        raise _Broken(f"`eventTime`: {error}") from None
    return _FRACTION.sub(lambda found: found[1].rstrip("."), text) or NEVER


def _id(records: list[dict[str, Any]], ctx: SourceContext) -> str | None:
    """The id of a notification: the sequencer orders what happened to one object."""
    sequencers = [record["s3"]["object"]["sequencer"] for record in records]
    if not (sequencers and all(sequencers)):
        return None
    return event_id(ctx, sequencers[0], digest(orjson.dumps(records)))


def _log(ctx: SourceContext) -> Any:
    return log.bind(eventSourceName=ctx.event_source, eventName=ctx.event_name)
