"""Lambda triggers against a stand-in for AWS that runs the functions in local processes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiobotocore.session import get_session

from tests._ports import free_port
from tests.integration.sources._providers.ministack import REGION, Ministack
from tiphys.errors import TriggerError
from tiphys.testing.triggers import Target, TriggerContract
from tiphys.triggers import triggers
from tiphys.triggers.aws_lambda import AWSLambda, Config

N = {"src": {"dependencyName": "dep", "dataKey": "n", "useRawData": True}}
CODE = """
import json, os, pathlib, time

def handler(event, context):
    place = pathlib.Path({place!r})
    while (place / "stall").exists():
        time.sleep(0.1)
    with (place / "events").open("a") as file:
        file.write(json.dumps(event) + "\\n")
    if event.get("n") == "bad":
        raise ValueError("no good")
    return {{"doubled": event.get("n", 0) * 2}}
"""


class Lambda(Ministack):
    """The stand-in, with functions in processes of its own."""

    def environment(self) -> Mapping[str, str]:
        home = {"LAMBDA_EXECUTOR": "local", "HOME": str(self.directory)}
        return {**super().environment(), **home}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lambda]:
    """The stand-in."""
    with Lambda(tmp_path_factory.mktemp("aws")) as server:
        yield server


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, aws: Lambda, tmp_path: Path) -> None:
    """What the client libraries of AWS read."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-environment")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))


class Function(Target):
    """A function of its own, which writes its events down."""

    made = 0

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        type(self).made += 1
        self.name = f"function-{self.made}"
        self.place = place / self.name
        self.place.mkdir()
        self.monkeypatch = monkeypatch
        self.secrets.values |= {"aws/access": "AKIATEST1", "aws/secret": "wJalrXUtnFEMI/K7MDENG"}

    def block(self) -> dict[str, Any]:
        return {
            "functionName": self.name,
            "region": REGION,
            "accessKey": {"name": "aws", "key": "access"},
            "secretKey": {"name": "aws", "key": "secret"},
            "payload": [{**N, "dest": "n"}],
        }

    async def received(self) -> Sequence[Any]:
        file = self.place / "events"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def unreachable(self) -> dict[str, Any]:
        self.monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
        return self.block()

    def refused(self) -> dict[str, Any]:
        return {**self.block(), "functionName": "no-such-function"}

    async def stall(self) -> None:
        (self.place / "stall").touch()

    async def create(self) -> None:
        """Make the function."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("code.py", CODE.format(place=str(self.place)))
        async with get_session().create_client("lambda", region_name=REGION) as client:
            await client.create_function(
                FunctionName=self.name,
                Runtime="python3.11",
                Role="arn:aws:iam::000000000000:role/tests",
                Handler="code.handler",
                Code={"ZipFile": archive.getvalue()},
                Timeout=30,
            )


class TestAWSLambda(TriggerContract):
    key = "awsLambda"

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.place, self.monkeypatch = tmp_path, monkeypatch

    @contextlib.asynccontextmanager
    async def target(self) -> AsyncIterator[Function]:
        async with function(self.place, self.monkeypatch) as target:
            yield target


@contextlib.asynccontextmanager
async def function(place: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Function]:
    """A function that is there."""
    target = Function(place, monkeypatch)
    await target.create()
    try:
        yield target
    finally:
        (target.place / "stall").unlink(missing_ok=True)


@pytest.fixture
async def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Function]:
    async with function(tmp_path, monkeypatch) as target:
        yield target


async def fire(target: Function, **block: Any) -> Any:
    """The outcome of one firing."""
    async with TestAWSLambda().running(target, {**target.block(), **block}) as running:
        return await running.fire()


async def test_the_function_gets_the_payload_and_its_result_is_the_outcome(
    target: Function,
) -> None:
    outcome = await fire(target)

    assert await target.received() == [{"n": 7}]
    assert (outcome.status, json.loads(outcome.detail)) == (200, {"doubled": 14})


async def test_parameters_choose_the_function(target: Function) -> None:
    value = {"src": {"dependencyName": "dep", "value": target.name}, "dest": "functionName"}
    await fire(target, functionName="other", parameters=[value])

    assert await target.received() == [{"n": 7}]


@pytest.mark.parametrize(("kind", "status"), [("Event", 202), ("DryRun", 204)])
async def test_the_invocation_type_shows_in_the_status(
    target: Function, kind: str, status: int
) -> None:
    outcome = await fire(target, invocationType=kind)

    assert outcome.status == status


async def test_an_error_of_the_function_is_a_success_that_is_logged_and_shown(
    target: Function,
) -> None:
    bad = {"src": {"dependencyName": "dep", "value": "bad"}, "dest": "n"}
    with structlog.testing.capture_logs() as lines:
        outcome = await fire(target, payload=[bad])

    assert outcome.status == 200
    assert "the function failed (Unhandled)" in outcome.detail
    assert "no good" in outcome.detail
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert (line["functionName"], line["error"]) == (target.name, "Unhandled")


async def test_a_role_is_assumed_once_and_again_before_its_credentials_expire(
    target: Function,
) -> None:
    options = {**target.block(), "roleARN": "arn:aws:iam::000000000000:role/tests"}
    async with TestAWSLambda().running(target, options) as running:
        await running.fire()
        trigger = running.trigger
        assert isinstance(trigger, AWSLambda)
        (first,) = trigger._roles.values()
        await running.fire()
        assert list(trigger._roles.values()) == [first]
        first["Expiration"] = datetime.now(UTC) + timedelta(minutes=1)
        await running.fire()
        (second,) = trigger._roles.values()

    assert second is not first
    assert len(await target.received()) == 3


async def test_the_credentials_of_the_environment_are_used_without_keys(target: Function) -> None:
    outcome = await fire(target, accessKey=None, secretKey=None)

    assert outcome.status == 200


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"secretKey": None}, "accessKey and secretKey must come together"),
        ({"secretKey": {"name": "gone", "key": "x"}}, "failed to retrieve the access key"),
        ({"region": "not a region"}, "failed to invoke function"),
        ({"functionName": "a b"}, "failed to invoke function"),
    ],
)
async def test_what_cannot_be_invoked_says_why(
    target: Function, block: dict[str, Any], message: str
) -> None:
    with pytest.raises(TriggerError, match=message):
        await fire(target, **block)

    await asyncio.sleep(0)
    assert await target.received() == []


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        (
            {},
            [
                "function name is not specified",
                "region in not specified",
                "payload parameters are not specified",
            ],
        ),
        ({"functionName": "f", "region": "r", "payload": []}, []),
    ],
)
def test_what_argo_events_refuses_is_refused(block: dict[str, Any], problems: list[str]) -> None:
    assert triggers.get("awsLambda").check(Config.model_validate(block)) == problems
