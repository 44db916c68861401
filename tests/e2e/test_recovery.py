"""What happened to an event, and second chances: trace, lists, dead letters, replay."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Program, Receiver, tiphys

NOT_DONE = "not done: the sensor stopped"
FILTER = {"data": [{"path": "body.n", "type": "number", "comparator": ">", "value": ["3"]}]}


@pytest.fixture
async def hook(program: Program, receiver: Receiver) -> str:
    """A webhook, and a sensor that sends numbers above 3 to the receiver; the webhook's address."""
    port = free_port()
    trigger = http_trigger(
        "write", receiver.url, {"n": "dep:body.n"}, policy={"status": {"allow": [200]}}
    )
    program.write(
        "all.yaml",
        dumped(
            event_source("web", {"hook": webhook(port)}),
            sensor("numbers", [dependency("dep", filters=FILTER)], [trigger]),
        ),
    )
    await program.start()
    return f"http://127.0.0.1:{port}/hook"


async def post(url: str, number: int) -> str:
    """Send a number; returns the event's id."""
    async with aiohttp.ClientSession() as session, session.post(url, json={"n": number}) as answer:
        assert answer.status == 200
        return answer.headers["X-Event-Id"]


async def run(program: Program, *arguments: str) -> str:
    """The output of a client command that succeeds."""
    status, output = await tiphys(*arguments, env={"TIPHYS_API": program.api})
    assert status == 0, output
    return output


async def refused(program: Program, *arguments: str) -> tuple[int, str]:
    """Exit status and output of a client command that does not succeed."""
    return await tiphys(*arguments, env={"TIPHYS_API": program.api})


async def run_json(program: Program, *arguments: str) -> Any:
    return json.loads(await run(program, *arguments, "--json"))


def recorded(folder: Path) -> list[Any]:
    """What `tiphys events record` wrote, in order."""
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


async def test_a_trace_tells_which_filter_said_no_and_on_which_value(
    program: Program, hook: str
) -> None:
    event = await post(hook, 2)
    await asyncio.sleep(0.5)

    assert "filtered out for dep: body.n is 2, wanted > 3" in await run(program, "trace", event)


async def test_a_trace_tells_of_attempts_and_the_list_of_what_became_of_events(
    program: Program, receiver: Receiver, hook: str
) -> None:
    passed, dropped = await post(hook, 4), await post(hook, 1)
    await receiver.wait(1)
    await asyncio.sleep(0.5)

    assert "attempt 1 succeeded" in await run(program, "trace", passed[:8])
    listed = {each["id"]: each["status"] for each in await run_json(program, "events", "list")}
    assert listed == {passed: "acted on", dropped: "filtered"}
    filtered = await run_json(program, "events", "list", "--status", "filtered")
    assert [each["id"] for each in filtered] == [dropped]


async def test_the_list_takes_any_moment_and_only_statuses_that_there_are(
    program: Program, hook: str
) -> None:
    event = await post(hook, 1)

    listed = await run_json(program, "events", "list", "--since", "0001-01-01T00:00:00Z")
    assert [each["id"] for each in listed] == [event]
    assert await run_json(program, "events", "list", "--since", "9999-12-31T23:59:59Z") == []
    status, output = await refused(program, "events", "list", "--status", "bogus")
    assert status == 1
    assert "'bogus'" in output
    assert "dead-lettered, failing, acted on" in output


async def test_the_list_has_the_newest_and_says_that_there_may_be_more(
    program: Program, hook: str
) -> None:
    await post(hook, 1)
    newest = await post(hook, 2)

    found = await run(program, "events", "list", "--limit", "1")

    assert newest in found
    assert "the newest 1; there may be more: --limit" in found
    assert len(found.strip().splitlines()) == 3


async def test_a_failed_action_is_kept_and_succeeds_when_it_is_replayed(
    program: Program, receiver: Receiver, hook: str
) -> None:
    receiver.status = 500
    event = await post(hook, 7)
    await receiver.wait(1)
    await asyncio.sleep(0.5)
    (letter,) = await run_json(program, "deadletters", "list", "--sensor", "numbers")
    assert letter["events"] == {"dep": event}
    assert "status 500 is not allowed" in letter["error"]
    assert json.loads(await run(program, "deadletters", "show", letter["id"]))["data"]["dep"]

    receiver.status = 200
    assert "succeeded" in await run(program, "deadletters", "replay", letter["id"][:8])

    assert receiver.bodies == [{"n": 7}, {"n": 7}]
    keys = [headers["Idempotency-Key"] for headers, _ in receiver.requests]
    assert keys[0] == keys[1]
    assert await run_json(program, "deadletters", "list") == []
    (listed,) = await run_json(program, "events", "list")
    assert listed["status"] == "acted on"


async def test_a_payload_can_be_edited_before_its_replay(
    program: Program, receiver: Receiver, hook: str
) -> None:
    receiver.status = 500
    await post(hook, 7)
    await receiver.wait(1)
    receiver.status = 200
    await asyncio.sleep(0.5)
    (letter,) = await run_json(program, "deadletters", "list")
    editor = program.folder / "editor.sh"
    editor.write_text('#!/bin/sh\nsed -i \'s/"n": 7/"n": 70/\' "$1"\n')
    editor.chmod(0o755)

    status, output = await tiphys(
        "deadletters",
        "replay",
        "--edit",
        letter["id"],
        env={"TIPHYS_API": program.api, "EDITOR": str(editor), "VISUAL": ""},
    )

    assert status == 0, output
    assert receiver.bodies[-1] == {"n": 70}


async def test_dead_letters_are_discarded_by_what_they_match(
    program: Program, receiver: Receiver, hook: str
) -> None:
    receiver.status = 500
    for number in (5, 6):
        await post(hook, number)
    await receiver.wait(2)
    await asyncio.sleep(0.5)

    discard = ("deadletters", "discard", "--all")
    assert "0 discarded" in await run(program, *discard, "--error", "nonsense")
    assert "2 discarded" in await run(program, *discard, "--trigger", "write")


async def test_archived_events_go_through_the_sensor_again(
    program: Program, receiver: Receiver, hook: str
) -> None:
    for number in (1, 5, 6):
        await post(hook, number)
    await receiver.wait(2)
    arguments = ("replay", "--source=web", "--event=hook", "--since=1h", "--sensor=numbers/write")

    would = await run_json(program, *arguments, "--dry-run")
    assert len(receiver.requests) == 2
    did = await run_json(program, *arguments)

    assert [each["succeeded"] for each in would] == [None, None]
    assert [each["succeeded"] for each in did] == [True, True]
    numbers = [body["n"] for body in receiver.bodies]
    assert set(numbers[:2]) == set(numbers[2:]) == {5, 6}  # at the same time


async def test_a_replay_that_a_reload_cuts_off_tells_what_was_done_and_what_was_not(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    source = event_source("web", {"hook": webhook(port)})
    tell = sensor(
        "numbers",
        [dependency("dep")],
        [http_trigger("write", receiver.url, {"n": "dep:body.n"}, concurrency=1)],
    )
    program.write("all.yaml", dumped(source, tell))
    await program.start()
    for number in range(20):
        await post(f"http://127.0.0.1:{port}/hook", number)
    await receiver.wait(20)
    receiver.delay = 0.5
    arguments = ("replay", "--source=web", "--event=hook", "--since=1h")
    replaying = asyncio.create_task(refused(program, *arguments))
    await receiver.wait(21)
    tell["metadata"]["annotations"] = {"changed": "yes"}
    program.write("all.yaml", dumped(source, tell))
    status, output = await replaying

    assert status == 1
    results = [line.split("numbers/write")[1].strip() for line in output.splitlines()[1:]]
    done, left = results.count("succeeded"), sum(r.startswith(NOT_DONE) for r in results)
    assert done + left == len(results) == 20
    assert 0 < done < 20
    await program.wait_output("Restarted Sensor default/numbers")
    assert len(receiver.requests) == 20 + done
    assert "Traceback" not in program.output
    assert "never retrieved" not in program.output


async def test_names_of_events_may_have_dots(program: Program, receiver: Receiver) -> None:
    source, name = of = "my.shop", "new.order"
    names = (f"--source={source}", f"--event={name}")
    depends = dependency("dep", source, name)
    pipeline = sensor("orders", [depends], [http_trigger("write", receiver.url, {"n": "dep:n"})])
    manifest = program.write(
        "all.yaml",
        dumped(
            event_source(source, {name: webhook(free_port())}),
            event_source("web", {"hook": webhook(free_port())}),
            pipeline,
        ),
    )
    await program.start()
    event = (await run(program, "send", *of, "-d", '{"n": 1}')).strip()
    await run(program, "send", "web", "hook")
    await receiver.wait(1)

    for chosen in (names, names[:1], names[1:]):
        assert [e["id"] for e in await run_json(program, "events", "list", *chosen)] == [event]
    folder = program.folder / "recorded"
    await run(program, "events", "record", str(folder), *names)
    assert [each["id"] for each in recorded(folder)] == [event]
    (again,) = await run_json(program, "replay", *names, "--since=1h")
    assert (again["events"], again["succeeded"]) == ([event], True)
    output = await run(program, "diff", str(manifest), str(manifest), "--since", "1h")
    assert output == "1 event, no difference\n"


async def test_an_id_is_taken_for_itself_though_others_begin_with_it(
    program: Program, hook: str
) -> None:
    ids = ("x/y:1", "x/y:10", "x/y:2")
    async with aiohttp.ClientSession() as session:
        for id in ids:
            body = {"eventSource": "web", "eventName": "hook", "id": id, "data": {"body": {"n": 1}}}
            async with session.post(f"{program.api}/api/v1/events", json=body) as answer:
                assert answer.status == 200
    await asyncio.sleep(0.5)

    for id in ids:
        assert json.loads(await run(program, "events", "show", id))["id"] == id
        trace = await run_json(program, "trace", id)
        assert {event for record in trace for event in record["events"]} == {id}
    for command in (("events", "show"), ("trace",)):
        status, output = await refused(program, *command, "x/y")
        assert status == 1
        assert "several events begin with 'x/y': x/y:1, x/y:10, x/y:2" in output


async def test_an_event_that_can_reach_nobody_is_refused_with_what_was_meant(
    program: Program, receiver: Receiver
) -> None:
    pipeline = sensor(
        "orders",
        [dependency("dep", "shop", "order")],
        [http_trigger("write", receiver.url, {"n": "dep:n"})],
    )
    hook = event_source("web", {"hook": webhook(free_port())})
    program.write("all.yaml", dumped(hook, pipeline))
    await program.start()

    await run(program, "send", "shop", "order", "-d", '{"n": 1}')  # its source runs elsewhere
    await receiver.wait(1)
    for wrong, meant in {"shpo order": "shop/order", "web hok": "web/hook"}.items():
        status, output = await refused(program, "send", *wrong.split())
        assert status == 1
        assert f"did you mean `{meant}`?" in output
    assert len(await run_json(program, "events", "list")) == 1


async def test_send_puts_an_event_on_the_bus_and_says_what_is_wrong_with_its_data(
    program: Program, receiver: Receiver, hook: str
) -> None:
    await run(program, "send", "web", "hook", "-d", '{"body": {"n": 9}}')
    await receiver.wait(1)
    assert receiver.bodies == [{"n": 9}]

    status, output = await tiphys("send", "web", "hook", "-d", "{", env={"TIPHYS_API": program.api})
    assert status == 1
    assert output.startswith("error: the data is not JSON")


async def test_a_client_without_an_instance_is_told_how_to_get_one() -> None:
    url = f"http://127.0.0.1:{free_port()}"

    status, output = await tiphys("events", "list", "--api", url)

    assert status == 1
    assert f"no running instance answers at {url}" in output
    assert "tiphys run PATH" in output
    assert "Traceback" not in output


async def test_events_are_recorded_as_files_and_followed_as_they_come(
    program: Program, hook: str
) -> None:
    await post(hook, 1)
    folder = program.folder / "recorded"
    await run(program, "events", "record", str(folder), "--source", "web")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{program.api}/api/v1/events/tail?source=web") as answer,
    ):
        await asyncio.sleep(0.3)
        event = await post(hook, 2)
        line = json.loads(await answer.content.readline())

    (path,) = folder.iterdir()
    assert json.loads(path.read_text())["data"]["body"] == {"n": 1}
    assert (line["id"], line["data"]["body"]) == (event, {"n": 2})


async def test_a_recorded_event_stays_in_its_folder_and_an_obstacle_is_named(
    program: Program,
) -> None:
    name = "../../order"
    source = event_source("shop", {name: webhook(free_port())})
    program.write("all.yaml", dumped(source))
    await program.start()
    await run(program, "send", "shop", name, "-d", '{"n": 1}')
    folder = program.folder / "a/b/recorded"
    await run(program, "events", "record", str(folder))
    (path,) = folder.iterdir()
    assert path.name == "0001-shop-.._.._order.json"

    path.unlink()
    path.mkdir()
    status, output = await refused(program, "events", "record", str(folder))
    assert status == 1
    assert output.startswith(f"error: {path} cannot be written: Is a directory; name a folder")


async def test_recording_asks_for_all_events_at_once(program: Program, hook: str) -> None:
    for number in range(3):
        await post(hook, number)
    asked: list[str] = []

    async def forward(request: web.Request) -> web.Response:
        asked.append(request.path)
        url = f"{program.api}{request.path_qs}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return web.Response(body=await answer.read(), status=answer.status)

    app, port, folder = web.Application(), free_port(), program.folder / "recorded"
    app.router.add_get("/{tail:.*}", forward)
    between = web.AppRunner(app, access_log=None)
    await between.setup()
    await web.TCPSite(between, "127.0.0.1", port).start()
    try:
        await run(program, "events", "record", str(folder), "--api", f"http://127.0.0.1:{port}")
    finally:
        await between.cleanup()

    assert asked == ["/api/v1/events"]
    assert [each["data"]["body"]["n"] for each in recorded(folder)] == [0, 1, 2]


async def test_an_api_away_from_the_loopback_demands_its_token(program: Program) -> None:
    program.options = ("--api-host=0.0.0.0",)
    program.write("all.yaml", dumped(event_source("web", {"hook": webhook(free_port())})))
    await program.start()
    token = (program.data_dir / "api-token").read_text().strip()

    async with aiohttp.ClientSession() as session:
        async with session.get(f"{program.api}/api/v1/status") as refused:
            assert refused.status == 401
        headers = {"Authorization": f"Bearer {token}"}
        async with session.get(f"{program.api}/api/v1/status", headers=headers) as let_in:
            assert let_in.status == 200
        url = f"{program.api}/api/v1/openapi.json"
        async with session.get(url, headers=headers) as described:
            document = await described.json()
    (scheme,) = document["components"]["securitySchemes"].values()
    assert scheme == {"type": "http", "scheme": "bearer"}
    assert (program.data_dir / "api-token").stat().st_mode & 0o077 == 0
    assert token not in program.output


async def test_the_api_describes_itself(program: Program, hook: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{program.api}/api/v1/openapi.json") as answer,
    ):
        document = await answer.json()

    assert document["openapi"].startswith("3.")
    assert "/api/v1/dead-letters/{id}/replay" in document["paths"]
    body = document["paths"]["/api/v1/events"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert schema["required"] == ["eventSource", "eventName"]
    assert schema["properties"]["eventSource"]["type"] == "string"
    assert "securitySchemes" not in document["components"]
