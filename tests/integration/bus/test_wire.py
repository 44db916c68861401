"""What goes over the wire is what Argo Events sends and expects (spec: control plane 8.2)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StreamConfig

from tests.integration.bus._servers import NatsServer
from tiphys.bus import Limits
from tiphys.bus.jetstream import Endpoint, JetStreamBus, StreamSettings
from tiphys.errors import BusError, ManifestError
from tiphys.events import CloudEvent

HOUR = 3600.0


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = NatsServer(tmp_path)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await nats.connect(server.url)
    yield client
    await client.close()


@pytest.fixture
async def bus(server: NatsServer) -> AsyncIterator[JetStreamBus]:
    bus = JetStreamBus(Endpoint((server.url,)))
    yield bus
    await bus.close()


async def started(bus: JetStreamBus) -> JetStreamBus:
    await bus.start()
    return bus


async def api(client: Client, operation: str, body: Any = None) -> dict[str, Any]:
    reply = await client.request(f"$JS.API.{operation}", json.dumps(body or {}).encode())
    answer: dict[str, Any] = json.loads(reply.data)
    return answer


async def test_an_event_has_the_subject_header_and_body_that_argo_events_reads(
    bus: JetStreamBus, client: Client
) -> None:
    await started(bus)
    listening = await client.subscribe("default.>")
    await api(client, "INFO")  # the server has seen the subscription once it answers
    event = CloudEvent(
        "9f0c", "webhook", "example", "webhook", "2026-01-02T03:04:05.123456Z",
        "application/json", b'{"a":1}',
    )  # fmt: skip
    await bus.publish(event)
    message = await listening.next_msg(timeout=10)

    assert message.subject == "default.webhook.example"
    assert message.headers == {"Nats-Msg-Id": "9f0c"}
    body = json.loads(message.data)
    assert json.loads(base64.b64decode(body.pop("data_base64"))) == {"a": 1}
    assert body == {
        "specversion": "1.0",
        "id": "9f0c",
        "source": "webhook",
        "type": "webhook",
        "subject": "example",
        "datacontenttype": "application/json",
        "time": "2026-01-02T03:04:05.123456Z",
    }


async def test_an_event_of_argo_events_is_consumed(bus: JetStreamBus, client: Client) -> None:
    await started(bus)
    subscription = await bus.subscribe("sn", "tr", "dep", "webhook", "example")
    body = (
        b'{"specversion":"1.0","id":"a1","source":"webhook","type":"webhook","subject":"example",'
        b'"datacontenttype":"application/json","time":"2024-05-06T07:08:09.123456789Z",'
        b'"data_base64":"eyJhIjoxfQ=="}'
    )
    await client.jetstream().publish("default.webhook.example", body, headers={"Nats-Msg-Id": "a1"})
    (delivery,) = await subscription.fetch(10)

    event = CloudEvent.decode(delivery.body)
    assert (event.id, event.source, event.subject, event.data) == (
        "a1", "webhook", "example", b'{"a":1}',
    )  # fmt: skip


async def test_a_missing_stream_is_created_as_configured(server: NatsServer) -> None:
    settings = StreamSettings().merged(
        "maxMsgs: 50000\nMAXAGE: 168h\nmaxBytes: -1\nreplicas: 1\nduplicates: 300s\n"
        "retention: 0\ndiscard: 0\nunknown: 1\n"
    )
    bus = await started(JetStreamBus(Endpoint((server.url,)), stream=settings))
    client = await nats.connect(server.url)
    config = (await api(client, "STREAM.INFO.default"))["config"]
    await client.close()
    await bus.close()

    wanted = {
        "subjects": ["default.*.*"], "storage": "file", "retention": "limits", "discard": "old",
        "max_msgs": 50_000, "max_age": 168 * 3600 * 10**9, "max_bytes": -1, "num_replicas": 1,
        "duplicate_window": 300 * 10**9,
    }  # fmt: skip
    assert {name: config[name] for name in wanted} == wanted


async def test_an_existing_stream_is_used_unchanged(bus: JetStreamBus, client: Client) -> None:
    await client.jetstream().add_stream(
        StreamConfig("default", subjects=["default.>"], max_msgs=7, max_age=HOUR)
    )
    before = (await api(client, "STREAM.INFO.default"))["config"]
    await started(bus)

    assert (await api(client, "STREAM.INFO.default"))["config"] == before


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("replicas: 3", "replicas"),
        ("maxAge: 1m\nduplicates: 5m", "duplicates"),
        ("retention: 3", "retention 3"),
        ("discard: 2", "discard 2"),
    ],
)
async def test_settings_that_cannot_be_are_the_manifest_s_fault(
    server: NatsServer, text: str, complaint: str
) -> None:
    bus = JetStreamBus(Endpoint((server.url,)), stream=StreamSettings().merged(text))
    with pytest.raises(ManifestError, match=complaint):
        await bus.start()


async def test_a_work_queue_cannot_be_subscribed_to(bus: JetStreamBus, client: Client) -> None:
    await client.jetstream().add_stream(
        StreamConfig("default", subjects=["default.*.*"], retention=RetentionPolicy.WORK_QUEUE)
    )
    await started(bus)
    with pytest.raises(ManifestError, match="trigger 'tr'"):
        await bus.subscribe("sn", "tr", "dep", "webhook", "example")


async def test_a_consumer_is_created_as_argo_events_creates_it(
    bus: JetStreamBus, client: Client
) -> None:
    await started(bus)
    await bus.subscribe("my-sensor", "my-trigger", "my-dep", "webhook", "example")
    config = (await api(client, "CONSUMER.INFO.default.group-3019645673"))["config"]

    wanted = {
        "deliver_policy": "new", "ack_policy": "explicit", "ack_wait": 30 * 10**9,
        "max_deliver": -1, "max_ack_pending": 1000, "filter_subject": "default.webhook.example",
    }  # fmt: skip
    assert {name: config[name] for name in wanted} == wanted


async def test_a_consumer_of_argo_events_is_taken_over_with_its_position(
    bus: JetStreamBus, client: Client
) -> None:
    await started(bus)
    stream = client.jetstream()
    argo = await stream.pull_subscribe(
        "default.webhook.example",
        "group-3019645673",
        "default",
        config=ConsumerConfig(deliver_policy=DeliverPolicy.NEW, ack_policy=AckPolicy.EXPLICIT),
    )
    for number in range(4):
        await stream.publish("default.webhook.example", b"%d" % number)
    for message in await argo.fetch(2):
        await message.ack_sync()
    before = await api(client, "CONSUMER.INFO.default.group-3019645673")
    subscription = await bus.subscribe("my-sensor", "my-trigger", "my-dep", "webhook", "example")

    after = await api(client, "CONSUMER.INFO.default.group-3019645673")
    assert (after["config"], after["created"]) == (before["config"], before["created"])
    bodies: list[bytes] = []
    while len(bodies) < 2:
        bodies += [delivery.body for delivery in await subscription.fetch(10)]
    assert bodies == [b"2", b"3"]


async def test_a_consumer_follows_the_number_of_messages_that_may_be_pending(
    bus: JetStreamBus, client: Client
) -> None:
    await started(bus)
    for pending in (1000, 5, 200):
        subscription = await bus.subscribe("sn", "tr", "dep", "es", "ev", max_pending=pending)
        await subscription.close()
        (name,) = (await api(client, "CONSUMER.NAMES.default"))["consumers"]
        config = (await api(client, f"CONSUMER.INFO.default.{name}"))["config"]
        assert config["max_ack_pending"] == pending


async def test_a_consumer_of_another_kind_is_refused(bus: JetStreamBus, client: Client) -> None:
    await started(bus)
    await client.jetstream().add_consumer(
        "default", ConsumerConfig(durable_name="group-3019645673", ack_policy=AckPolicy.ALL)
    )
    with pytest.raises(ManifestError, match="group-3019645673"):
        await bus.subscribe("my-sensor", "my-trigger", "my-dep", "webhook", "example")


async def test_triggers_whose_names_run_together_do_not_share_a_consumer_unnoticed(
    bus: JetStreamBus,
) -> None:
    await started(bus)
    await bus.subscribe("sn", "a-b", "c", "es", "ev")
    with pytest.raises(ManifestError, match=r"'sn/a-b/c'.*'sn/a/b-c'"):
        await bus.subscribe("sn", "a", "b-c", "es", "ev")


async def test_state_lies_in_a_bucket_that_other_clients_read_and_write(
    bus: JetStreamBus, client: Client
) -> None:
    state = await (await started(bus)).state("deploy")
    bucket = await client.jetstream().key_value("deploy")
    await state.put("log-trigger/test-dep", b"ours")
    assert (await bucket.get("log-trigger/test-dep")).value == b"ours"
    status = await bucket.status()
    assert (status.bucket, status.history, status.ttl) == ("deploy", 1, 0)

    await bucket.put("Triggers", b'["log-trigger"]')
    entry = await state.get("Triggers")
    assert entry is not None
    assert entry.value == b'["log-trigger"]'


async def test_markers_of_deleted_keys_count_as_nothing(bus: JetStreamBus, client: Client) -> None:
    state = await (await started(bus)).state("deploy")
    await state.put("a", b"1")
    await state.put("b", b"1")
    bucket = await client.jetstream().key_value("deploy")
    await bucket.delete("a")

    assert await state.get("a") is None
    assert await state.keys() == ["b"]
    revision = await state.put("a", b"2", revision=0)
    await state.put("a", b"3", revision=revision)
    assert (await bucket.get("a")).value == b"3"


async def test_a_bucket_of_argo_events_without_direct_reads_is_used(
    bus: JetStreamBus, client: Client
) -> None:
    await api(
        client,
        "STREAM.CREATE.KV_deploy",
        {"name": "KV_deploy", "subjects": ["$KV.deploy.>"], "max_msgs_per_subject": 1,
         "deny_delete": True, "allow_rollup_hdrs": True, "storage": "file"},
    )  # fmt: skip
    state = await (await started(bus)).state("deploy")
    assert await state.get("a") is None
    revision = await state.put("a", b"1", revision=0)
    entry = await state.get("a")
    assert entry is not None
    assert (entry.value, entry.revision) == (b"1", revision)


async def test_a_message_that_is_too_big_is_refused_and_the_link_stays(
    bus: JetStreamBus, client: Client
) -> None:
    await started(bus)
    limit = client.max_payload
    for id, size in (("1", limit), ("2" * (limit // 2), 10)):
        with pytest.raises(BusError, match="too big"):
            await bus.publish(CloudEvent(id, "es", "ev", "webhook", data=b"x" * size))
    state = await bus.state("sensor")
    with pytest.raises(BusError, match="too long"):
        await state.put("k" * 5000, b"1")
    assert bus.connected
    await bus.publish(CloudEvent("2", "es", "ev", "webhook", data=b"{}"))


async def test_a_full_stream_that_discards_new_events_refuses_them(server: NatsServer) -> None:
    settings = StreamSettings().merged("maxMsgs: 1\ndiscard: 1")
    bus = await started(JetStreamBus(Endpoint((server.url,)), stream=settings))
    await bus.publish(CloudEvent("1", "es", "ev", "webhook", data=b"{}"))
    with pytest.raises(BusError, match="maximum messages exceeded"):
        await bus.publish(CloudEvent("2", "es", "ev", "webhook", data=b"{}"))
    await bus.close()


async def test_a_journal_is_as_durable_as_the_stream_and_keeps_its_limits(
    bus: JetStreamBus, client: Client
) -> None:
    await (await started(bus)).journal("dead-letters", Limits(age=HOUR, messages=5, size=10_000))
    config = (await api(client, "STREAM.INFO.tiphys-dead-letters"))["config"]
    assert config["max_age"] == HOUR * 1e9
    assert (config["max_msgs"], config["max_bytes"], config["storage"]) == (5, 10_000, "file")


async def test_what_reading_leaves_on_the_server_is_removed(
    bus: JetStreamBus, client: Client
) -> None:
    journal = await (await started(bus)).journal("journal", Limits())
    await journal.append("a", b"1")
    assert [record.body async for record in journal.read()] == [b"1"]
    async with asyncio.timeout(10):
        while (await api(client, "CONSUMER.NAMES.tiphys-journal"))["consumers"]:
            await asyncio.sleep(0.02)
