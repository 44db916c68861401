"""The API and its client where something is odd: who asks, for what, where, and until when."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, event_source, http_trigger, sensor, webhook
from tests.e2e._program import TIPHYS, Program, Receiver, tiphys
from tests.e2e._trials import endless

LETTERS = "/api/v1/dead-letters"


@pytest.fixture
async def hook(program: Program, receiver: Receiver) -> str:
    """A webhook, and two sensors that send its numbers to the receiver; the webhook's address."""
    port = free_port()
    program.write("web.yaml", dumped(event_source("web", {"hook": webhook(port)})))
    for name in ("one", "two"):
        policy = {"status": {"allow": [200]}}
        trigger = http_trigger("write", f"{receiver.url}{name}", {"n": "dep:body.n"}, policy=policy)
        program.write(f"{name}.yaml", dumped(sensor(name, [dependency("dep")], [trigger])))
    await program.start()
    return f"http://127.0.0.1:{port}/hook"


async def ask(program: Program, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Status and answer of a request to the API."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, program.api + path, **options) as answer,
    ):
        return answer.status, json.loads(await answer.read())


async def run(program: Program, *arguments: str) -> tuple[int, str]:
    """Exit status and output of a client command."""
    return await tiphys(*arguments, env={"TIPHYS_API": program.api})


async def fail(
    program: Program, receiver: Receiver, hook: str, events: int = 1
) -> list[dict[str, Any]]:
    """Events on which both sensors fail; their dead letters."""
    receiver.status = 500
    async with aiohttp.ClientSession() as session:
        for _ in range(events):
            async with session.post(hook, json={"n": 1}) as answer:
                assert answer.status == 200
    letters: list[dict[str, Any]] = []
    async with asyncio.timeout(20):
        while len(letters) < 2 * events:
            await asyncio.sleep(0.1)
            _, letters = await ask(program, "GET", LETTERS)
    receiver.status = 200
    return letters


def stopped_quietly(program: Program, status: int) -> None:
    """Nothing of the server for HTTP is in the log: its warnings, errors and stack traces."""
    assert status == 0
    assert "uvicorn" not in program.output
    assert "ASGI" not in program.output


async def test_followers_keep_no_program_from_stopping(program: Program, hook: str) -> None:
    follower = await asyncio.create_subprocess_exec(
        str(TIPHYS), "events", "tail", "--api", program.api, stdout=asyncio.subprocess.PIPE
    )
    assert follower.stdout is not None
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{program.api}/api/v1/events/tail") as answer,
    ):
        async with asyncio.timeout(20):
            line = asyncio.create_task(follower.stdout.readline())
            while not line.done():
                await (await session.post(hook, json={"n": 1})).read()
                await asyncio.wait([line], timeout=0.3)
        assert await answer.content.readline()

        stopped_quietly(program, await program.stop())

    async with asyncio.timeout(20):
        await follower.communicate()
    assert follower.returncode == 0


@pytest.fixture
async def trial(program: Program, tmp_path: Path) -> AsyncIterator[Path]:
    """The program tries manifests out, for minutes; the folder for what it makes meanwhile."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    program.env["TMPDIR"] = str(folder)
    program.write("web.yaml", dumped(event_source("web", {"hook": webhook(free_port())})))
    await program.start()
    body = {"files": endless()}
    asking = asyncio.create_task(ask(program, "POST", "/api/v1/test", json=body))
    async with asyncio.timeout(20):
        while not list(folder.glob("tiphys-*/*")):
            await asyncio.sleep(0.05)
    yield folder
    assert isinstance(
        (await asyncio.gather(asking, return_exceptions=True))[0], aiohttp.ClientError
    )


async def test_a_trial_of_manifests_keeps_no_program_from_stopping(
    program: Program, trial: Path
) -> None:
    stopped_quietly(program, await program.stop())

    assert entries(trial) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only its kernel ends children with parents")
async def test_a_trial_of_manifests_dies_with_its_program(program: Program, trial: Path) -> None:
    (folder,) = entries(trial)

    def there() -> list[Path]:
        return [link for link in Path("/proc").glob("*/cwd") if _target(link) == folder]

    assert len(there()) == 1
    await program.kill()

    async with asyncio.timeout(20):
        while there():
            await asyncio.sleep(0.05)


def entries(folder: Path) -> list[Path]:
    """What is in a folder."""
    return list(folder.iterdir())


def _target(link: Path) -> Path | None:
    """Where *link* leads; None where its process is gone, or not ours."""
    try:
        return link.readlink()
    except OSError:
        return None


@pytest.mark.parametrize("which", ["api", "metrics"])
async def test_a_client_that_reads_no_answer_keeps_no_program_from_stopping(
    program: Program, hook: str, which: str
) -> None:
    port, path = {
        "api": (program.api_port, "/api/v1/openapi.json"),
        "metrics": (program.metrics_port, "/metrics"),
    }[which]
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", port))
        deaf.setblocking(False)
        loop = asyncio.get_running_loop()
        sending = asyncio.create_task(loop.sock_sendall(deaf, request * 1000))
        await asyncio.wait([sending], timeout=1.0)  # until the buffers are full

        stopped_quietly(program, await program.stop())
        await asyncio.gather(sending, return_exceptions=True)


async def test_an_empty_token_file_opens_no_api(program: Program, hook: str) -> None:
    await program.stop()
    path = program.data_dir / "api-token"
    path.write_text("")
    program.options = ("--api-host=0.0.0.0",)
    await program.start()

    assert (await ask(program, "GET", "/api/v1/status"))[0] == 401
    headers = {"Authorization": f"Bearer {path.read_text()}"}
    assert (await ask(program, "GET", "/api/v1/status", headers=headers))[0] == 200


async def test_everything_listens_on_the_loopback_of_ipv6_as_well(
    program: Program, hook: str
) -> None:
    await program.stop()
    program.options, program.host = ("--api-host=::1", "--host=::1"), "[::1]"
    await program.start()

    url = hook.replace("127.0.0.1", "[::1]")
    metrics = f"http://[::1]:{program.metrics_port}/metrics"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, json={"n": 1}) as answer:
            assert answer.status == 200
        async with session.get(metrics) as answer:
            assert answer.status == 200
    for address in (url, metrics, f"{program.api}/api/v1/status"):
        assert address in program.output
    status, printed = await run(program, "events", "list")
    assert (status, "web/hook" in printed) == (0, True)


async def test_without_a_token_pages_of_others_are_refused(program: Program, hook: str) -> None:
    page = {"Origin": "https://page.example", "Content-Type": "text/plain"}
    rebound = {"Host": f"rebound.example:{program.api_port}"}

    for path, method, headers in (
        (f"{LETTERS}/replay", "POST", page),
        (LETTERS, "DELETE", page),
        (LETTERS, "DELETE", rebound),
        (LETTERS, "GET", rebound),
    ):
        status, answer = await ask(program, method, path, headers=headers)
        assert status == 403
        assert "an API without a token is for this machine only" in answer["error"]
    assert (await ask(program, "GET", LETTERS))[0] == 200
    assert (await run(program, "deadletters", "discard", "--all"))[0] == 0


async def test_with_a_token_the_token_is_all_that_counts(program: Program, hook: str) -> None:
    await program.stop()
    program.options = ("--api-token=mine",)
    await program.start()
    headers = {"Authorization": "Bearer mine", "Host": "api.example", "Origin": "https://a.example"}

    assert (await ask(program, "DELETE", LETTERS, headers=headers))[0] == 200
    assert (await ask(program, "DELETE", LETTERS))[0] == 401


async def test_a_dead_letter_whose_trigger_is_gone_stops_no_other(
    program: Program, receiver: Receiver, hook: str
) -> None:
    first, second = await fail(program, receiver, hook)
    await program.stop()
    (program.folder / "manifests" / f"{first['sensor']}.yaml").unlink()
    await program.start()

    status, output = await run(program, "deadletters", "replay", "--all")

    assert status == 1
    gone = f"the trigger {first['sensor']}/write does not run here"
    assert f"{first['id'][:12]}  failed again: {gone}" in output
    assert f"{second['id'][:12]}  succeeded" in output
    assert len(receiver.requests) == 3
    _, left = await ask(program, "GET", LETTERS)
    assert [letter["id"] for letter in left] == [first["id"]]


async def test_a_replay_with_wrong_data_says_which_member_and_does_nothing(
    program: Program, receiver: Receiver, hook: str
) -> None:
    letter, _ = await fail(program, receiver, hook)

    for data in ([1], "x", 0, False, [], {"nobody": 1}):
        path = f"{LETTERS}/{letter['id']}/replay"
        status, answer = await ask(program, "POST", path, json={"data": data})
        assert (status, "the member 'data'" in answer["error"]) == (400, True)

    assert len(receiver.requests) == 2


async def test_a_name_without_a_dead_letter_stops_no_other_that_is_edited(
    program: Program, receiver: Receiver, hook: str
) -> None:
    letter, _ = await fail(program, receiver, hook)
    env = {"EDITOR": "true", "VISUAL": "", "TIPHYS_API": program.api}

    status, output = await tiphys(
        "deadletters", "replay", "--edit", "nothing", letter["id"], env=env
    )

    assert status == 1
    assert "nothing  failed again: there is no dead letter 'nothing'" in output
    assert f"{letter['id'][:12]}  succeeded" in output
    assert receiver.bodies[2] == {"n": 1}


async def test_a_beginning_that_several_dead_letters_have_is_refused_with_their_ids(
    program: Program, receiver: Receiver, hook: str
) -> None:
    letters = await fail(program, receiver, hook, events=9)  # 18 ids, which begin with 16 digits
    first, count = Counter(letter["id"][0] for letter in letters).most_common(1)[0]

    for verb in ("show", "discard", "replay"):
        status, output = await run(program, "deadletters", verb, first)
        assert status == 1
        assert f"{count} dead letters begin with {first!r}" in output
    status, answer = await ask(program, "DELETE", f"{LETTERS}/{first}")
    assert (status, answer["error"].count(first) > 1) == (404, True)
    assert len((await ask(program, "GET", LETTERS))[1]) == 18


async def test_no_id_reaches_another_operation_or_all_dead_letters(
    program: Program, receiver: Receiver, hook: str
) -> None:
    await fail(program, receiver, hook)

    for odd in ("a/b", "a b", "x?y", 'ü"q', "a/replay", "%2F", "#"):
        for verb in ("show", "discard", "replay"):
            status, output = await run(program, "deadletters", verb, odd)
            assert status == 1
            assert f"there is no dead letter {odd!r}" in output
        for command in (("trace",), ("events", "show")):
            status, output = await run(program, *command, odd)
            assert (status, output.count("\n")) == (1, 1)
            assert f"event {odd!r}" in output
    for method in ("GET", "DELETE"):
        status, answer = await ask(program, method, f"{LETTERS}/")
        assert (status, answer["error"]) == (404, "the id of the dead letter is empty")
    assert len((await ask(program, "GET", LETTERS))[1]) == 2


async def test_a_wrong_address_of_the_api_is_explained_in_a_line(
    program: Program, receiver: Receiver, hook: str
) -> None:
    wrong = [f"http://127.0.0.1:{program.metrics_port}", hook, receiver.url]

    for api in wrong:
        for command in (("events", "list"), ("events", "tail"), ("pause", "one")):
            status, output = await tiphys(*command, "--api", api)
            assert status == 1
            expected = (
                f"error: what answers at {api.rstrip('/')} is not the API of a running instance"
            )
            assert output.startswith(expected)
            assert "--api or TIPHYS_API" in output
            assert output.count("\n") == 1
