"""The harness: events in, actions and verdicts out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from tests.unit.testing._sensors import (
    dependency,
    http,
    trigger,
    value,
    write,
    write_object,
    write_source,
)
from tiphys.errors import ManifestError
from tiphys.languages.lua import WorkerPool
from tiphys.manifests.common import SecretRef, TriggerConfig
from tiphys.testing.pipelines import Given, Pipeline, Run, archived, event, moment, recorded
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, triggers

ENDPOINT = {"endpoint": "/a", "port": "1", "method": "POST"}
POSITIVE = {"data": [{"path": "n", "type": "number", "comparator": ">", "value": ["0"]}]}


def a(data: Any = None, name: str = "a", **more: Any) -> Given:
    """An event of the source ``web``."""
    return event("web", name, {} if data is None else data, **more)


def steps(run: Run) -> list[str]:
    """The verdicts in one word each."""
    return [verdict.step for verdict in run.verdicts]


def test_an_event_sets_rendered_actions_in_motion(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger(block=http(value("n", "n"), method="PUT"))])

    run = Pipeline(tmp_path).run([a({"n": 5})])

    (action,) = run.actions
    assert (action.sensor, action.trigger, action.type, action.number) == (
        "sensor",
        "act",
        "http",
        1,
    )
    assert action.payload == {"n": 5}
    assert action.block == {"url": "http://target/", "method": "PUT"}
    assert action.options["timeout"] == 60
    assert action.document() == {"http": action.block, "payload": {"n": 5}}
    assert steps(run) == ["acted"]


def test_an_action_has_the_id_that_a_running_sensor_would_give_it(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger()])
    pipeline = Pipeline(tmp_path)

    one, other = (pipeline.run([a(id=id)]).actions[0] for id in ("x", "y"))

    assert one.id == pipeline.run([a(id="x")]).actions[0].id
    assert one.id != other.id
    assert len(one.id) == 32


def test_a_filter_says_why_an_event_does_nothing(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a", filters=POSITIVE)], [trigger()])

    run = Pipeline(tmp_path).run([a({"n": 0}), a({})])

    assert run.actions == []
    assert run.reasons("act", "sensor") == [
        "n is 0, wanted > 0",
        "data filter error (path 'n' does not exist)",
    ]
    assert run.reasons("another") == []
    assert "     sensor/act: filtered out for a: n is 0, wanted > 0" in run.trace().splitlines()


def test_each_part_of_a_filter_is_judged_for_itself(tmp_path: Path) -> None:
    filters = {
        "exprs": [{"expr": "x > 1", "fields": [{"name": "x", "path": "n"}]}],
        **POSITIVE,
        "context": {"type": "webhook"},
        "time": {"start": "08:00:00", "stop": "18:00:00"},
        "script": "return event.n == 2",
    }
    write_source(tmp_path, {"a": ENDPOINT})
    write(tmp_path, [dependency("a", filters=filters)], [trigger()])
    pipeline = Pipeline(tmp_path)

    run = pipeline.run([a({"n": 1}, at="2026-01-01T07:00:00Z"), a({"n": 2}, at="+1h")])

    judged = {(j.number, j.path.removeprefix("filters.")): j.passed for j in run.judgements}
    assert judged == {
        (1, "exprs[0]"): False,
        (1, "data[0]"): True,
        (1, "context"): True,
        (1, "time"): False,
        (1, "script"): False,
        (2, "exprs[0]"): True,
        (2, "data[0]"): True,
        (2, "context"): True,
        (2, "time"): True,
        (2, "script"): True,
    }
    assert len(run.actions) == 1
    assert [j.text for j in run.judgements[:4]] == [
        "x > 1",
        "n > 0",
        "type = webhook",
        "from 08:00:00 to 18:00:00",
    ]
    assert pipeline.run([a({"n": 2})], judge=False).judgements == []


def test_transforms_run_before_filters_and_parameters(tmp_path: Path) -> None:
    written = write(
        tmp_path,
        [
            dependency("a", transform={"jq": "{n: (.k + 1)}"}, filters=POSITIVE),
            dependency("b", transform={"script": "event.n = event.k * 2 return event"}),
        ],
        [
            trigger("jq", http(value("n", "n")), "a"),
            trigger("lua", http(value("n", "n", "b")), "b"),
        ],
    )

    run = Pipeline(written).run([a({"k": 4}), a({"k": 4}, "b"), a([1])])

    assert [action.payload for action in run.actions] == [{"n": 5}, {"n": 8}]
    assert "failed to apply event transformation" in run.reasons("jq")[0]
    assert all(judgement.passed for judgement in run.judgements)


def test_conditions_remember_events_within_a_run_and_forget_them_after_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        [dependency("a"), dependency("b")],
        [trigger(block=http(value("a", "n"), value("b", "n", "b")), conditions="a && b")],
    )
    pipeline = Pipeline(tmp_path)

    run = pipeline.run([a({"n": 1}), a({"n": 2}), a({"n": 3}, "b"), a({"n": 4}, "b")])

    (action,) = run.actions
    assert action.payload == {"a": 2, "b": 3}
    assert {name: found.id for name, found in action.events.items()} == {"a": "2", "b": "3"}
    assert [(verdict.number, verdict.step) for verdict in run.verdicts] == [
        (1, "held"),
        (1, "superseded"),
        (2, "held"),
        (3, "acted"),
        (4, "held"),
    ]
    assert run.reasons()[0] == "the condition a&&b still needs b"
    assert pipeline.run([a({"n": 4}, "b")]).actions == []


def test_resets_of_conditions_go_by_virtual_time(tmp_path: Path) -> None:
    reset = [{"byTime": {"cron": "0 0 * * *", "timezone": "Europe/Berlin"}}]
    write(
        tmp_path,
        [dependency("a"), dependency("b")],
        [trigger(conditions="a && b", conditionsReset=reset)],
    )
    pipeline = Pipeline(tmp_path)

    def pair(first: str, second: str) -> Run:
        return pipeline.run([a(at=first), a(name="b", at=second)])

    assert len(pair("2026-03-02T20:00:00Z", "2026-03-02T22:59:59Z").actions) == 1
    late = pair("2026-03-02T20:00:00Z", "2026-03-02T23:00:00Z")
    assert steps(late) == ["held", "forgotten", "held"]
    assert late.reasons()[1] == "the conditions were reset, a must come again"
    assert len(pair("2026-03-02T23:00:00Z", "2026-03-03T22:00:00Z").actions) == 1


def test_time_goes_on_after_the_last_event_if_asked_to(tmp_path: Path) -> None:
    reset = [{"byTime": {"cron": "*/10 * * * *"}}]
    write(
        tmp_path,
        [dependency("a"), dependency("b")],
        [trigger(conditions="a && b", conditionsReset=reset)],
    )

    run = Pipeline(tmp_path).run([a()], until=timedelta(minutes=10))

    assert steps(run) == ["held", "forgotten"]


def test_the_event_source_filters_and_adds_its_metadata(tmp_path: Path) -> None:
    write_source(
        tmp_path,
        {"a": {**ENDPOINT, "filter": {"expression": "body.n > 0"}, "metadata": {"team": "blue"}}},
    )
    write(tmp_path, [dependency("a")], [trigger(block=http(value("", "@this")))])

    run = Pipeline(tmp_path).run([event("web", "a", body={"n": n}) for n in (1, 0, "x")])

    assert [action.payload for action in run.actions] == [
        {"header": {}, "body": {"n": 1}, "metadata": {"team": "blue"}}
    ]
    assert run.events[0].type == "webhook"
    assert steps(run) == ["acted", "dropped", "dropped"]
    assert run.reasons()[0] == "the filter `body.n > 0` is false"
    assert run.reasons()[1].startswith("the filter `body.n > 0` failed: ")
    assert [judgement.passed for judgement in run.judgements] == [True, False, False]


def test_headers_come_as_from_a_webhook(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger(block=http(value("", "@this")))])
    headers = {"x-gitHub-event": "push", "Accept": ["a", "b"]}

    run = Pipeline(tmp_path).run([event("web", "a", body=1, header=headers)])

    assert run.actions[0].payload == {
        "header": {"X-Github-Event": ["push"], "Accept": ["a", "b"]},
        "body": 1,
    }


def test_the_recorded_event_is_not_filtered_by_its_source_again(tmp_path: Path) -> None:
    write_source(tmp_path, {"a": {**ENDPOINT, "filter": {"expression": "body.n > 0"}}})
    sensor = write(tmp_path, [dependency("a")], [trigger(block=http(value("n", "body.n")))])
    members = {
        "id": "4711",
        "source": "web",
        "subject": "a",
        "type": "webhook",
        "time": "2026-02-03T04:05:06Z",
        "datacontenttype": "application/json",
        "data": {"body": {"n": 12345678901234567890123}},
    }
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "1.json").write_text(json.dumps(members))

    run = Pipeline([tmp_path / "eventsource-web.yaml", sensor]).run(recorded(tmp_path / "events"))

    assert run.actions[0].content == b'{"n":12345678901234567890123}'
    assert (run.events[0].id, run.events[0].time) == ("4711", "2026-02-03T04:05:06Z")
    assert run.actions[0].at == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_data_that_is_no_json_is_recorded_in_base64() -> None:
    given = archived({"source": "web", "subject": "a", "data_base64": "/w=="})

    assert given.event.data == b"\xff"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "this is no recorded event"),
        ('{"source": "a"}', "it needs `source` and `subject`"),
        ('{"source": "a", "subject": "b", "data_base64": "?"}', "`data_base64` is not base64"),
        ("{", "is not JSON"),
    ],
)
def test_what_is_no_recorded_event_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "event.json"
    path.write_text(content)

    with pytest.raises(ManifestError, match=message) as caught:
        recorded(path)

    assert caught.value.file == str(path)


def test_a_folder_without_recorded_events_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="there are no recorded events"):
        recorded(tmp_path)


def test_an_event_whose_id_came_already_is_dropped(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger()])

    run = Pipeline(tmp_path).run([a(id="x"), a(id="x", at="+299s"), a(id="x", at="+5m")])

    assert steps(run) == ["acted", "dropped", "acted"]
    assert run.reasons() == ["an event with the id 'x' came already"]


def test_events_do_not_cross_from_one_bus_to_another(tmp_path: Path) -> None:
    write_source(tmp_path, {"a": ENDPOINT}, eventBusName="east")
    write(tmp_path, [dependency("a")], [trigger()], eventBusName="west")

    run = Pipeline(tmp_path).run([a()])

    assert steps(run) == ["dropped"]
    assert run.reasons("act") == [
        "the sensor sensor listens on the EventBus west, and web publishes on east"
    ]


def test_an_action_that_cannot_be_made_fails_and_the_dead_letter_trigger_acts(
    tmp_path: Path,
) -> None:
    fallback = trigger("report", http(value("n", "n")), atLeastOnce=True)
    broken = http(value("n", "missing"))
    write(
        tmp_path,
        [dependency("a")],
        [trigger("act", broken, atLeastOnce=True, dlqTrigger=fallback)],
    )

    run = Pipeline(tmp_path).run([a({"n": 1})])

    failed, reported = run.actions
    assert failed.error == (
        "unable to resolve 'a' parameter value. err: path 'missing' does not exist"
    )
    assert failed.document() == {"error": failed.error}
    assert (reported.trigger, reported.payload) == ("report", {"n": 1})
    assert steps(run) == ["failed", "acted"]


def test_options_that_do_not_fit_after_parameters_fail_the_action(tmp_path: Path) -> None:
    parameters = [value("timeout", "n", useRawData=False)]
    write(tmp_path, [dependency("a")], [trigger(block=http(parameters=parameters))])

    (action,) = Pipeline(tmp_path).run([a({"n": 5})]).actions

    assert action.error.startswith("http.timeout: ")


def test_headers_from_events_are_resolved_and_secrets_are_not(tmp_path: Path) -> None:
    key = {"name": "s", "key": "k"}
    block = http(
        dynamicHeaders=[value("X-N", "n")],
        secureHeaders=[{"name": "X-S", "valueFrom": {"secretKeyRef": key}}],
    )
    write(tmp_path, [dependency("a")], [trigger(block=block)])

    (action,) = Pipeline(tmp_path).run([a({"n": 5})]).actions

    assert action.block["dynamicHeaders"] == {"X-N": "5"}
    assert action.block["secureHeaders"] == [{"name": "X-S", "valueFrom": {"secretKeyRef": key}}]


def test_template_parameters_reach_the_whole_block(tmp_path: Path) -> None:
    parameters = [{**value("http.url", "n"), "operation": "append"}]
    write(tmp_path, [dependency("a")], [trigger(block=http(), parameters=parameters)])

    run = Pipeline(tmp_path).run([a({"n": "x"}), a({"n": "y"})])

    assert [action.block["url"] for action in run.actions] == ["http://target/x", "http://target/y"]


def test_a_trigger_that_cannot_run_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger("bad", conditions="a && nowhere"), trigger("good")])

    pipeline = Pipeline(tmp_path)

    assert "nowhere" in pipeline.sensors["sensor"].broken["bad"]
    assert [action.trigger for action in pipeline.run([a()]).actions] == ["good"]


def test_manifests_that_are_wrong_are_refused_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "sensor.yaml"
    path.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Sensor\nmetadata: {name: s}\n"
        "spec:\n  dependencies: 5\n  triggers: []\n"
    )

    with pytest.raises(ManifestError) as caught:
        Pipeline(path)

    assert str(caught.value).startswith(f"{path}:5: spec.dependencies: ")


def test_there_must_be_a_sensor_and_only_one_of_a_name(tmp_path: Path) -> None:
    write_source(tmp_path, {"a": ENDPOINT})
    with pytest.raises(ManifestError, match="there is no Sensor in"):
        Pipeline(tmp_path)

    spec = {"dependencies": [dependency("a")], "triggers": [trigger()]}
    path = write_object(tmp_path, "Sensor", "twice", spec)
    moved = path.with_name("other.yaml")
    moved.write_text(path.read_text().replace('"twice"', '"twice", "namespace": "other"'))
    with pytest.raises(ManifestError, match="there are several objects Sensor twice"):
        Pipeline(tmp_path)


def test_an_event_that_its_source_does_not_have_is_a_mistake(tmp_path: Path) -> None:
    write_source(tmp_path, {"push": ENDPOINT})
    write(tmp_path, [dependency("push")], [trigger()])

    with pytest.raises(ManifestError, match=r"`web` has no event `psh`; did you mean `push`\?"):
        Pipeline(tmp_path).run([a(name="psh")])


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_nobody_lives_to_see_is_refused(text: str) -> None:
    with pytest.raises(ManifestError, match="is not between 1970 and 2200"):
        moment(text)


def test_time_that_goes_on_for_ages_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [dependency("push")], [trigger()])

    with pytest.raises(ManifestError, match="time goes on beyond 2200"):
        Pipeline(tmp_path).run([a(), a(at=timedelta(days=365_000))])


@pytest.mark.parametrize("text", ["tomorrow", "+5", "5m", "2026-13-01"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ManifestError, match="is neither a time"):
        event("web", "a", at=text)


async def test_an_asynchronous_test_brings_its_own_workers(tmp_path: Path) -> None:
    filters = {"script": "return event.n == 1"}
    write(tmp_path, [dependency("a", filters=filters)], [trigger()])
    scripts = WorkerPool(size=1)
    try:
        pipeline = Pipeline(tmp_path)
        runs = [await pipeline.play([a({"n": n})], scripts) for n in (1, 2)]
    finally:
        await scripts.close()

    assert [len(run.actions) for run in runs] == [1, 0]


class SampleConfig(TriggerConfig):
    """Options of the trigger below."""

    manifest: dict[str, Any] = Field({}, description="The object to create.")
    token: SecretRef | None = Field(None, description="Needed to get it.")


class Sample(Trigger[SampleConfig]):
    """Creates objects, as triggers of Kubernetes do."""

    key = log_name = "sample"
    fetches_objects = True
    Config = SampleConfig

    async def start(self, ctx: TriggerContext) -> None:
        raise AssertionError("nothing is opened to render")

    async def fetch(self, config: SampleConfig) -> bytes:
        if config.token is not None:
            await self.ctx.secret(config.token)
        return json.dumps(config.manifest).encode()

    async def fire(self, firing: Firing[SampleConfig]) -> Outcome:
        raise AssertionError("nothing is done to render")


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trigger is known for one test."""
    monkeypatch.setitem(triggers._loaded, "sample", Sample)


@pytest.mark.usefixtures("sample")
def test_objects_are_rendered_and_not_created(tmp_path: Path) -> None:
    block = {
        "manifest": {"kind": "Job", "metadata": {"generateName": "build-"}},
        "parameters": [value("metadata.labels.n", "n", useRawData=False)],
    }
    write(tmp_path, [dependency("a")], [trigger(block={"sample": block})])

    (action,) = Pipeline(tmp_path).run([a({"n": 5})]).actions

    assert action.resource == {
        "kind": "Job",
        "metadata": {"generateName": "build-", "labels": {"n": "5"}},
    }
    assert action.document()["resource"] == action.resource


@pytest.mark.usefixtures("sample")
def test_an_object_that_needs_a_secret_to_get_it_cannot_be_rendered(tmp_path: Path) -> None:
    block = {"token": {"name": "s", "key": "k"}}
    write(tmp_path, [dependency("a")], [trigger(block={"sample": block})])

    (action,) = Pipeline(tmp_path).run([a()]).actions

    assert action.error == "Secret 's', key 'k': values are not read here"


def test_files_outside_of_a_folder_become_no_objects(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "pod.yaml"
    inside.mkdir()
    outside.write_text("kind: Pod\n")
    (inside / "pod.yaml").write_text("kind: Pod\n")
    src = {"dependencyName": "a", "dataKey": "path"}
    block = {
        "source": {"file": {"path": str(inside / "pod.yaml")}},
        "operation": "create",
    }
    chosen = {"src": src, "dest": "k8s.source.file.path", "operation": "overwrite"}
    write(inside, [dependency("a")], [trigger(block={"k8s": block}, parameters=[chosen])])

    free = Pipeline(inside).run([a({"path": str(outside)})])
    bound = Pipeline(inside, within=inside).run(
        a({"path": str(path)}) for path in (inside / "pod.yaml", outside, inside / "../pod.yaml")
    )

    assert [action.resource for action in free.actions] == [{"kind": "Pod"}]
    assert [action.resource for action in bound.actions] == [{"kind": "Pod"}, None, None]
    assert bound.actions[1].error == (
        f"source.file: {str(outside)!r} leads out of the files that may be read here"
    )


def test_a_trigger_that_would_ask_a_server_asks_none(tmp_path: Path) -> None:
    pytest.importorskip("grpc")
    block = {"custom": {"serverURL": "127.0.0.1:1", "spec": {"a": "b"}}}
    write(tmp_path, [dependency("a")], [trigger(block=block)])

    run = Pipeline(tmp_path).run([a()])

    assert steps(run) == ["failed"]
    assert "from a server, which is not asked here" in run.actions[0].error
