"""``tiphys run``: what it says, what it survives, and how it ends."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import socket
from typing import Any

import aiohttp

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import Program, Receiver, tiphys


async def listening(port: int) -> None:
    """Wait until something listens on the port."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def unready(program: Program, reason: str) -> None:
    """Until ``/readyz`` gives the reason."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                status, reasons = await get(f"{program.api}/readyz")
                if status == 503 and reason in reasons:
                    return
            await asyncio.sleep(0.05)


async def post(url: str, body: Any, headers: dict[str, str] | None = None) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=data, headers=headers) as answer,
    ):
        await answer.read()
        return answer.status


def pipeline(port: int, receiver: Receiver, **options: Any) -> str:
    """A webhook whose bodies go to the receiver."""
    return dumped(
        event_source("web", {"hook": webhook(port, **options)}),
        sensor("sn", [dependency("d")], [http_trigger("t", receiver.url, {"body": "d:body"})]),
    )


async def test_the_banner_tells_what_listens_and_what_is_bound_to_what(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    program.write("all.yaml", pipeline(port, receiver))
    await program.start()
    await program.wait_output("metrics")

    assert f"web/hook  webhook  http://127.0.0.1:{port}/hook" in program.output
    assert "sn/t  http  <-  web/hook" in program.output
    assert f"http://127.0.0.1:{program.metrics_port}/metrics" in program.output


async def test_sigterm_ends_it_with_status_0_and_a_restart_goes_on_where_it_was(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    program.write("all.yaml", pipeline(port, receiver))
    await program.start()
    assert await post(f"http://127.0.0.1:{port}/hook", {"n": 1}) == 200
    await receiver.wait(1)
    assert await program.stop() == 0
    await program.start()
    assert await post(f"http://127.0.0.1:{port}/hook", {"n": 2}) == 200
    await receiver.wait(2)
    await asyncio.sleep(0.5)

    assert [body["body"]["n"] for body in receiver.bodies] == [1, 2]


async def test_a_stop_waits_for_running_actions(program: Program, receiver: Receiver) -> None:
    port = free_port()
    program.write("all.yaml", pipeline(port, receiver))
    await program.start()
    receiver.delay = 1.0
    assert await post(f"http://127.0.0.1:{port}/hook", {"n": 1}) == 200
    await asyncio.sleep(0.4)
    assert await program.stop() == 0
    receiver.delay = 0
    await program.start()
    await asyncio.sleep(1)

    assert len(receiver.requests) == 1


async def test_a_changed_manifest_restarts_only_what_changed(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    program.write("source.yaml", dumped(event_source("web", {"hook": webhook(port)})))
    trigger = http_trigger("t", receiver.url, {"old": "d:body.n"})
    program.write("sensor.yaml", dumped(sensor("sn", [dependency("d")], [trigger])))
    await program.start()
    trigger = http_trigger("t", receiver.url, {"new": "d:body.n"})
    program.write("sensor.yaml", dumped(sensor("sn", [dependency("d")], [trigger])))
    await program.wait_output("Restarted Sensor default/sn")
    await program.wait_ready()
    assert await post(f"http://127.0.0.1:{port}/hook", {"n": 1}) == 200
    await receiver.wait(1)

    assert receiver.bodies == [{"new": 1}]
    assert "Restarted EventSource" not in program.output


async def test_a_broken_change_keeps_what_ran_and_says_where_the_mistake_is(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    path = program.write("all.yaml", pipeline(port, receiver))
    await program.start()
    path.write_text(path.read_text() + "\n---\nkind: [unclosed\n")
    await program.wait_output("all.yaml:")
    await asyncio.sleep(0.5)
    assert await post(f"http://127.0.0.1:{port}/hook", {"n": 1}) == 200
    await receiver.wait(1)

    assert "error" in program.output
    assert "Traceback" not in program.output


async def test_a_port_in_use_is_one_clear_message_and_stops_no_other_pipeline(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        used = taken.getsockname()[1]
        events = {"hook": webhook(port), "other": webhook(used, "/other")}
        http = http_trigger("t", receiver.url, {"body": "d:body"})
        program.write(
            "all.yaml",
            dumped(event_source("web", events), sensor("sn", [dependency("d")], [http])),
        )
        await program.start(ready=False)
        await program.wait_output(f"port {used} is in use by another program")
        await listening(port)
        assert await post(f"http://127.0.0.1:{port}/hook", {"n": 1}) == 200
        await receiver.wait(1)
        status, reasons = await get(f"{program.api}/readyz")

    assert f"port {used} is in use by another program" in program.output
    assert status == 503
    assert f"port {used}" in reasons
    assert "Traceback" not in program.output


async def test_a_source_is_ready_only_when_its_connection_stands(program: Program) -> None:
    watched = program.folder / "watched"
    options = {
        "eventType": "CREATE",
        "watchPathConfig": {"directory": f"{watched}/", "pathRegexp": "."},
    }
    program.write("all.yaml", dumped(event_source("files", {"new": options}, "file")))
    await program.start(ready=False)
    for _ in range(2):
        await unready(program, "event new: the directory")
        watched.mkdir()
        await program.wait_ready()
        _, text = await get(f"{program.api}/api/v1/status")
        assert json.loads(text)["eventSources"][0]["events"][0]["ready"]
        watched.rmdir()
    await unready(program, "event new: the directory")


async def test_a_taken_metrics_port_ends_it_with_a_message(
    program: Program, receiver: Receiver
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        program.metrics_port = taken.getsockname()[1]
        program.write("all.yaml", pipeline(free_port(), receiver))
        await program.start(ready=False)
        assert program.process is not None
        assert await program.process.wait() == 1
        await program.wait_output("--metrics-port")

    assert "Traceback" not in program.output


async def test_a_missing_secret_is_named_with_the_places_that_were_tried_until_it_is_there(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    program.write(
        "all.yaml", pipeline(port, receiver, authSecret={"name": "hook-token", "key": "token"})
    )
    token = program.folder / "secrets" / "hook-token" / "token"
    program.options = (*program.options, f"--secrets-dir={program.folder / 'secrets'}")
    await program.start(ready=False)
    await program.wait_output("TIPHYS_SECRET_HOOK_TOKEN_TOKEN")

    url = f"http://127.0.0.1:{port}/hook"
    assert await post(url, {"n": 1}, {"Authorization": "Bearer x"}) == 500
    assert "hook-token" in program.output
    token.parent.mkdir(parents=True)
    token.write_text("x")
    await program.wait_ready()
    assert await post(url, {"n": 1}, {"Authorization": "Bearer x"}) == 200


async def test_an_hmac_lets_only_the_right_signature_in(
    program: Program, receiver: Receiver
) -> None:
    port = free_port()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "sign"},
        "data": {"key": base64.b64encode(b"hush").decode()},
    }
    signed = {
        "secret": {"name": "sign", "key": "key"},
        "header": "X-Signature",
        "prefix": "sha256=",
    }
    program.write("secret.yaml", dumped(secret))
    program.write("all.yaml", pipeline(port, receiver, hmac=signed))
    await program.start()
    url, body = f"http://127.0.0.1:{port}/hook", b'{"n": 1}'
    right = "sha256=" + hmac.new(b"hush", body, hashlib.sha256).hexdigest()
    statuses = [
        await post(url, body, headers)
        for headers in ({"X-Signature": right}, {"X-Signature": right[:-1] + "x"}, {})
    ]
    await receiver.wait(1)
    await asyncio.sleep(0.5)

    assert statuses == [200, 401, 401]
    assert len(receiver.requests) == 1
    assert right.removeprefix("sha256=") not in program.output
    assert "hush" not in program.output


async def test_nothing_to_run_is_an_error_that_says_so(program: Program) -> None:
    program.write("all.yaml", "kind: [")
    status, output = await tiphys(
        "run",
        str(program.folder / "manifests"),
        f"--data-dir={program.data_dir}",
        f"--api-port={free_port()}",
        f"--metrics-port={free_port()}",
    )

    assert status == 1
    assert "there is nothing to run" in output
    assert "Traceback" not in output


async def test_the_walkthroughs_manifests_load_and_say_in_one_line_what_does_not_run_yet(
    program: Program,
) -> None:
    """Their ports are fixed, so only the sensor is run."""
    from pathlib import Path

    source = Path(__file__).parents[1] / "data/walkthrough/build-sensor.yaml"
    program.write("build-sensor.yaml", source.read_text())
    await program.start(ready=False)
    await program.wait_output("github-build-sensor")

    assert "Traceback" not in program.output
