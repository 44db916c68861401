"""Manifests that are sent to the API: their tests run, and they reach nothing."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests._ports import free_port
from tests.e2e._manifests import dependency, dumped, http_trigger, sensor
from tests.e2e._program import TIPHYS
from tests.e2e._trials import SENSOR, endless, suite, texts, vast
from tiphys.dashboard import api
from tiphys.observe.metrics import Metrics
from tiphys.runtime.standalone import Options, Standalone
from tiphys.runtime.web import serving

EXAMPLES = Path(__file__).parents[3] / "examples"
LUA = {"script": "return event.n >= 1000"}
EVENT = {"source": "web", "event": "hook", "data": {"n": 1}}
TESTS = [{"name": "one", "events": [EVENT], "expect": {"trigger": "t", "payload": {"n": 1}}}]
Answer = tuple[int, Any]


@dataclasses.dataclass(frozen=True)
class Api:
    """An API, and the folder in which it makes its temporary ones."""

    url: str
    session: aiohttp.ClientSession
    folder: Path

    async def post(self, operation: str, body: Any) -> Answer:
        """Status and answer; the answer never tells where the files lay, nor do they stay."""
        async with self.session.post(f"{self.url}/api/v1/{operation}", json=body) as answer:
            text = await answer.text()
        assert str(self.folder) not in text
        assert list(self.folder.iterdir()) == []
        return answer.status, json.loads(text)

    async def test(self, files: dict[str, Any], **more: Any) -> Answer:
        """Run tests; what is no text is written as JSON."""
        return await self.post("test", {"files": texts(files), **more})

    async def busy(self) -> None:
        """Until a trial has its files."""
        async with asyncio.timeout(20):
            while not list(self.folder.glob("*/*")):
                await asyncio.sleep(0.02)

    async def idle(self) -> None:
        """Until the last trial is gone."""
        async with asyncio.timeout(20):
            while list(self.folder.iterdir()):
                await asyncio.sleep(0.02)


@pytest.fixture
async def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    """The API of an instance that runs nothing."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    port = free_port()
    instance = Standalone(Options([], data_dir=tmp_path / "data"), Metrics())
    async with (
        serving(api(instance), "127.0.0.1", port, "--api-port"),
        aiohttp.ClientSession() as session,
    ):
        yield Api(f"http://127.0.0.1:{port}", session, folder)
    await instance.stop()


def acting(key: str, block: dict[str, Any]) -> dict[str, Any]:
    """Files with a trigger that does *block*, and a test that expects it to act."""
    template = {"template": {"name": "t", key: block}}
    case = {"events": [EVENT], "expect": {"trigger": "t"}}
    return {
        "s.yaml": dumped(sensor("s", [dependency("dep")], [template])),
        "s.test.yaml": suite(case),
    }


async def printed(files: dict[str, str], folder: Path, *options: str) -> Any:
    """What ``tiphys test`` prints in a folder with these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    process = await asyncio.create_subprocess_exec(
        *(str(TIPHYS), "test", ".", "--format", "json", *options),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return json.loads(output)


def without_seconds(document: Any) -> Any:
    """The answer without what is another each time."""
    for test in document["tests"]:
        assert test.pop("seconds") >= 0
    return document


@pytest.mark.parametrize("example", ["github-push", "walkthrough"])
async def test_the_answer_is_what_the_command_prints(
    door: Api, tmp_path: Path, example: str
) -> None:
    files = {p.name: p.read_text() for p in (EXAMPLES / example).iterdir() if p.is_file()}

    status, document = await door.test(files, coverage=True)

    assert (status, document["failed"], document["passed"] > 0) == (200, 0, True)
    expected = await printed(files, tmp_path / "same", "--coverage")
    assert without_seconds(document) == without_seconds(expected)


async def test_tests_that_fail_or_cannot_run_are_told_in_an_answer_that_is_200(
    door: Api, tmp_path: Path
) -> None:
    scripted = dumped(
        sensor("s", [dependency("dep", filters=LUA)], [http_trigger("t", "http://x/", {})])
    )
    files = texts(
        {
            "manifests/s.yaml": scripted,
            "manifests/payload.json": {"n": 1000},
            "manifests/s.test.yaml": suite(
                {"events": [{**EVENT, "data": {"n": 999}}], "expect": {"trigger": "t"}},
                {"events": [{**EVENT, "at": "noon"}], "expect": {"trigger": "t"}},
                {
                    "events": [{"source": "web", "event": "hook", "dataFile": "payload.json"}],
                    "expect": {"trigger": "t"},
                },
            ),
        }
    )

    status, document = await door.test(files)

    assert (status, document["passed"], document["failed"]) == (200, 1, 2)
    assert [test["broken"] for test in document["tests"]] == [False, True, False]
    assert document["tests"][0]["file"] == "manifests/s.test.yaml"
    assert "the script did not return true" in document["tests"][0]["failures"][0]["details"]
    expected = await printed(files, tmp_path / "same")
    assert without_seconds(document) == without_seconds(expected)


async def test_only_tests_with_a_name_run(door: Api) -> None:
    files = {"s.yaml": SENSOR, "s.test.yaml": suite(*TESTS, {**TESTS[0], "name": "another"})}

    _, one = await door.test(files, name="anoth")
    _, none = await door.test(files, name="third")

    assert [test["name"] for test in one["tests"]] == ["another"]
    assert none == {"passed": 0, "failed": 0, "tests": []}


async def test_half_a_character_in_a_payload_is_no_bug_of_ours(door: Api) -> None:
    event = {"source": "web", "event": "hook", "dataFile": "half.json"}
    files = {"s.yaml": SENSOR, "half.json": '{"n": "\\ud800"}'}
    case = {"events": [event], "expect": {"trigger": "t", "payload": {"n": "x"}}}

    status, document = await door.test({**files, "s.test.yaml": suite(case)})

    assert (status, document["tests"][0]["broken"]) == (200, False)


async def test_what_no_program_can_follow_is_refused(door: Api) -> None:
    files = {"s.yaml": SENSOR, "deep.txt": "[" * 100_000 + "]" * 100_000}
    event = {"source": "web", "event": "hook", "dataFile": "deep.txt"}
    case = {"events": [event], "expect": {"none": True}}

    answer = await door.test({**files, "s.test.yaml": suite(case)})

    assert answer == (400, {"error": "something in the files is nested too deeply"})


async def test_what_takes_too_long_is_refused(door: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiphys.dashboard._trials.LONGEST", 0.5)

    answer = await door.post("test", {"files": endless()})

    text = "this takes longer than 0.5 s: choose less, or fewer events"
    assert answer == (400, {"error": text})


@pytest.mark.skipif(sys.platform != "linux", reason="only its kernel bounds the memory")
async def test_what_takes_too_much_memory_is_refused(door: Api) -> None:
    answer = await door.post("test", {"files": vast()})

    assert answer == (400, {"error": "this takes too much memory: choose less, or fewer events"})


@pytest.mark.skipif(sys.platform != "linux", reason="only its kernel tells the process")
@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (
            signal.SIGKILL,  # what the kernel sends where there is no memory
            (400, {"error": "this takes too much memory: choose less, or fewer events"}),
        ),
        (
            signal.SIGTERM,
            (500, {"error": "the trial ended without an answer, with status -15"}),
        ),
    ],
)
async def test_a_trial_that_somebody_ends_is_told(
    door: Api, number: signal.Signals, expected: Answer
) -> None:
    long = asyncio.create_task(door.test(endless()))
    await door.busy()

    os.kill(int(process_in(next(door.folder.iterdir())).name), number)

    assert await long == expected


@pytest.mark.parametrize("operation", ["test", "diff"])
@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "is missing, or no object with files"),
        ([], "is missing, or no object with files"),
        ({}, "is missing, or no object with files"),
        ({"s.yaml": 1}, "the file 's.yaml' is no text"),
        ({"": ""}, "the file '': the name is empty"),
        ({"/s.yaml": ""}, "the file '/s.yaml': the name must be relative"),
        ({"../s.yaml": ""}, "the file '../s.yaml': the name must not have `..` in it"),
        ({"a/../../s.yaml": ""}, "the name must not have `..` in it"),
        ({"./s.yaml": ""}, "has an empty part, or a `.`, between its slashes"),
        ({"a//s.yaml": ""}, "has an empty part, or a `.`, between its slashes"),
        ({"a/": ""}, "has an empty part, or a `.`, between its slashes"),
        ({"..\\s.yaml": ""}, "has a backslash or a control character in it"),
        ({"s\0.yaml": ""}, "has a backslash or a control character in it"),
        ({"s\n.yaml": ""}, "has a backslash or a control character in it"),
        ({"ä" * 128: ""}, "the name is longer than 255 bytes"),
        ({"a": "", "a/s.yaml": ""}, "the file 'a/s.yaml': 'a' is a file, and cannot be its folder"),
        ({f"{number}.yaml": "" for number in range(1001)}, "has more than 1000 files"),
    ],
)
async def test_files_must_be_texts_with_names_that_lead_nowhere_else(
    door: Api, operation: str, files: Any, message: str
) -> None:
    bodies = {
        "files": ("test", {"files": files}),
        "old": ("diff", {"old": files, "new": {"s.yaml": SENSOR}, "since": "1h"}),
        "new": ("diff", {"old": {"s.yaml": SENSOR}, "new": files, "since": "1h"}),
    }

    for member, (asked, body) in bodies.items():
        if asked != operation:
            continue
        status, answer = await door.post(operation, body)
        assert status == 400
        assert answer["error"].startswith(f"the member {member!r}")
        assert message in answer["error"]


@pytest.mark.parametrize(
    ("operation", "more", "message"),
    [
        ("test", {"name": 1}, "the member 'name' is missing, or no text"),
        ("test", {"coverage": "yes"}, "the member 'coverage' is neither true nor false"),
        ("test", {"files": {"s.yaml": SENSOR}}, "the member 'files' has no *.test.yaml"),
        ("diff", {"since": ""}, "the member 'since' is missing, or no text"),
        ("diff", {"since": "then"}, "since 'then' is neither a time (RFC 3339) nor a duration"),
        ("diff", {"source": 1}, "the member 'source' is missing, or no text"),
        ("diff", {"event": []}, "the member 'event' is missing, or no text"),
        ("diff", {"sensor": None}, "the member 'sensor' is missing, or no text"),
    ],
)
async def test_other_members_must_be_what_they_are(
    door: Api, operation: str, more: dict[str, Any], message: str
) -> None:
    files = texts({"s.yaml": SENSOR, "s.test.yaml": suite(*TESTS)})
    body = {"files": files} if operation == "test" else {"old": files, "new": files, "since": "1h"}

    status, answer = await door.post(operation, {**body, **more})

    assert (status, message in answer["error"]) == (400, True)


async def test_a_body_that_is_too_large_is_refused(door: Api) -> None:
    for operation in ("test", "diff"):
        body = io.BytesIO(b'"' + b"x" * (17 << 20) + b'"')
        async with door.session.post(f"{door.url}/api/v1/{operation}", data=body) as reply:
            status, answer = reply.status, await reply.json()
        assert (status, answer) == (413, {"error": "the body is larger than 16 MiB"})


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (
            SENSOR.replace('"url"', '"urll"'),
            "s.yaml:20: spec.triggers[0].template.http: template t is invalid, server URL",
        ),
        ("a: [", "s.yaml:1: "),
        ("{}", "there is no Sensor in "),
        ("[" * 100_000, "s.yaml:1: "),
    ],
)
async def test_manifests_that_are_wrong_are_told_with_the_place(
    door: Api, manifest: str, message: str
) -> None:
    good, bad = {"s.yaml": SENSOR}, {"s.yaml": manifest}

    tested = await door.test({**bad, "s.test.yaml": suite(*TESTS)})
    old = await door.post("diff", {"old": bad, "new": good, "since": "1h"})
    new = await door.post("diff", {"old": good, "new": bad, "since": "1h"})

    assert [status for status, _ in (tested, old, new)] == [400] * 3
    errors = [answer["error"] for _, answer in (tested, old, new)]
    if message.startswith("s.yaml"):
        assert errors[0].startswith(message)
        assert errors[1].startswith(f"old/{message}")
        assert errors[2].startswith(f"new/{message}")
    else:
        assert errors == [f"s.test.yaml: {message}.", f"{message}old", f"{message}new"]


@pytest.mark.parametrize(
    ("place", "broken"),
    [
        ("manifests[0]", lambda path: suite(*TESTS, manifests=[path])),
        (
            "tests[0].events[0].bodyFile",
            lambda path: suite(
                {"events": [{"source": "web", "event": "hook", "bodyFile": path}], "expect": "none"}
            ),
        ),
        (
            "tests[0].events[1].dataFile",
            lambda path: suite(
                {
                    "events": [EVENT, {"source": "web", "event": "hook", "dataFile": path}],
                    "expect": "none",
                }
            ),
        ),
        (
            "tests[0].events[0].recorded",
            lambda path: suite({"events": [{"recorded": path}], "expect": "none"}),
        ),
    ],
)
async def test_a_test_that_names_a_file_elsewhere_is_refused(
    door: Api, tmp_path: Path, place: str, broken: Any
) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"source": "web", "subject": "hook", "data": "hush"}')

    for path in (str(secret), "../../secret.json"):
        status, answer = await door.test({"sub/s.yaml": SENSOR, "s.test.yaml": broken(path)})
        assert status == 400
        assert answer["error"].startswith("s.test.yaml:")
        assert f"{place}: {path!r} leads out of the files that may be read here" in answer["error"]


async def test_a_trigger_makes_its_object_of_no_file_elsewhere(door: Api, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("kind: Pod\nspec: hush\n")
    for path in (str(secret), "../../secret.yaml"):
        files = acting("k8s", {"source": {"file": {"path": path}}, "operation": "create"})
        status, document = await door.test(files)
        assert (status, document["failed"]) == (200, 1)
        assert "hush" not in json.dumps(document)
        details = document["tests"][0]["failures"][0]["details"]
        assert details == f"source.file: {path!r} leads out of the files that may be read here"

    inside = acting("k8s", {"source": {"file": {"path": "pod.yaml"}}, "operation": "create"})
    _, document = await door.test({**inside, "pod.yaml": {"kind": "Pod"}})
    assert document["passed"] == 1


async def test_standard_input_is_no_file(door: Api) -> None:
    status, answer = await door.test({"s.test.yaml": suite(*TESTS, manifests=["-"])})

    assert (status, answer) == (400, {"error": "s.test.yaml: there is no Sensor in -"})


async def test_nothing_runs_and_no_server_is_asked(door: Api, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    for key, block in (
        ("exec", {"command": ["touch", str(proof)]}),
        ("python", {"code": f"open({str(proof)!r}, 'w')"}),
    ):
        _, document = await door.test(acting(key, block))
        assert document["passed"] == 1
    _, document = await door.test(
        acting("custom", {"serverURL": "127.0.0.1:1", "spec": {"a": "b"}})
    )

    assert not proof.exists()
    assert "a server, which is not asked here" in document["tests"][0]["failures"][0]["details"]


async def test_nothing_of_the_environment_is_told(
    door: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIPHYS_SECRET_PASS_WORD", "hush")
    template = '[{{ env "TIPHYS_SECRET_PASS_WORD" }}{{ expandenv "$TIPHYS_SECRET_PASS_WORD" }}]'
    src = {"dependencyName": "dep", "dataTemplate": template}
    block = {
        "url": "http://x/",
        "payload": [{"src": src, "dest": "n"}],
        "secureHeaders": [
            {"name": "X", "valueFrom": {"secretKeyRef": {"name": "pass", "key": "word"}}}
        ],
    }
    files = acting("http", block)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "pass"},
        "stringData": {"word": "hush too"},
    }
    expect = {"trigger": "t", "payload": {"n": "[]"}, "exactly": True, "http": {}}
    files["s.test.yaml"] = suite({"events": [EVENT], "expect": expect})

    status, document = await door.test({**files, "secret.yaml": secret})

    assert (status, document["failed"]) == (200, 1)
    assert "hush" not in json.dumps(document)
    (failure,) = document["tests"][0]["failures"]
    assert failure["message"] == "s/t: http is not as expected"


@pytest.mark.skipif(sys.platform != "linux", reason="only its kernel tells")
async def test_the_process_of_a_trial_has_an_empty_environment_and_goes_with_the_caller(
    door: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setenv("TIPHYS_SECRET_PASS_WORD", "hush")
    long = asyncio.create_task(door.test(endless()))
    await door.busy()

    process = process_in(next(door.folder.iterdir()))

    assert content(process / "environ") == b"TZ=Europe/Berlin\0"
    long.cancel()
    await door.idle()
    assert content(process / "environ") == b""


def process_in(folder: Path) -> Path:
    """The one process whose working directory is *folder*, as the kernel shows it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it is gone, or not ours
            if (process / "cwd").readlink() == folder:
                found.append(process)
    (only,) = found
    return only


def content(file: Path) -> bytes:
    """The bytes of a file; none where it is gone."""
    return file.read_bytes() if file.exists() else b""


async def test_files_are_no_modules(
    door: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = tmp_path / "proof"
    code = f"open({str(proof)!r}, 'w')\n"
    modules = {f"{name}.py": code for name in ("grpc", "orjson", "tiphys", "usercustomize")}
    monkeypatch.setattr(sys, "path", ["", ".", *sys.path])
    files = acting("custom", {"serverURL": "127.0.0.1:1", "spec": {"a": "b"}})  # imports grpc

    status, document = await door.test({**files, **modules})

    assert (status, document["tests"][0]["broken"]) == (200, False)
    assert not proof.exists()


async def test_a_trial_holds_nothing_up_and_ends_with_its_caller(door: Api) -> None:
    long = asyncio.create_task(door.test(endless()))
    await door.busy()
    short = asyncio.create_task(
        door.session.post(
            f"{door.url}/api/v1/test",
            json={"files": texts({"s.yaml": SENSOR, "s.test.yaml": suite(*TESTS)})},
        )
    )
    for _ in range(20):
        async with door.session.get(f"{door.url}/healthz") as answer:
            assert await answer.text() == "ok\n"

    assert not long.done()
    assert not short.done()  # it waits for its turn
    assert len(list(door.folder.iterdir())) == 1
    long.cancel()
    async with asyncio.timeout(20), await short as answer:
        assert json.loads(await answer.read())["passed"] == 1
    await door.idle()


async def test_who_leaves_while_waiting_is_forgotten(door: Api) -> None:
    long = asyncio.create_task(door.test(endless()))
    await door.busy()
    waiting = asyncio.create_task(door.test(endless()))
    await door.session.get(f"{door.url}/healthz")
    waiting.cancel()
    long.cancel()

    status, document = await door.test({"s.yaml": SENSOR, "s.test.yaml": suite(*TESTS)})

    assert (status, document["passed"]) == (200, 1)


async def test_without_a_bus_there_is_nothing_to_compare(door: Api) -> None:
    version = {"s.yaml": SENSOR}

    answer = await door.post("diff", {"old": version, "new": version, "since": "1h"})

    assert answer == (200, {"events": 0, "changes": []})


async def test_both_operations_are_described(door: Api) -> None:
    async with door.session.get(f"{door.url}/api/v1/openapi.json") as answer:
        paths = (await answer.json())["paths"]

    for path, required, optional in (
        ("/api/v1/diff", ["old", "new", "since"], ["source", "event", "sensor"]),
        ("/api/v1/test", ["files"], ["name", "coverage"]),
    ):
        body = paths[path]["post"]["requestBody"]
        schema = body["content"]["application/json"]["schema"]
        assert (body["required"], schema["required"]) == (True, required)
        assert list(schema["properties"]) == [*required, *optional]
        assert schema["properties"][required[0]]["additionalProperties"] == {"type": "string"}
