"""Test files: what they may hold, and what is said when something is not as expected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.testing._sensors import dependency, http, trigger, value, write, write_source
from tiphys.errors import ManifestError
from tiphys.testing.pipelines import Coverage, Failure, Result, Suites

ENDPOINT = {"endpoint": "/a", "port": "1", "method": "POST"}
POSITIVE = {"data": [{"path": "n", "type": "number", "comparator": ">", "value": ["0"]}]}
EVENT = {"source": "web", "event": "a", "data": {"n": 1}}
SUBJECT = {"source": "web", "event": "a"}
FILTERED = {"source": "web", "event": "a", "data": {"n": 0}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sensor with one trigger, which sends positive numbers."""
    write(
        tmp_path,
        [dependency("a", filters=POSITIVE)],
        [trigger("send", http(value("n", "n"), value("m.x", "n")))],
    )
    return tmp_path


async def run(folder: Path, *tests: dict[str, Any], **more: Any) -> list[Result]:
    """The results of a file with these tests."""
    named = [{"name": f"test {number}", **test} for number, test in enumerate(tests, 1)]
    (folder / "it.test.yaml").write_text(json.dumps({"tests": named, **more}, indent=1))
    return [result async for result in Suites([folder]).results()]


async def failures(folder: Path, expect: Any, *events: Any, **more: Any) -> list[Failure]:
    """The failures of one test."""
    (result,) = await run(folder, {"events": list(events or [EVENT]), "expect": expect, **more})
    return result.failures


@pytest.mark.parametrize(
    "expect",
    [
        {"trigger": "send"},
        {"sensor": "sensor"},
        [{"payload": {"n": 1}}],
        {"payload": {"m": {"x": 1}}},
        {"payload": {"n": 1, "m": {"x": 1}}, "exactly": True},
        {"http": {"url": "http://target/"}, "exactly": True},
        {"http": {"method": "POST", "timeout": 60}},
        {"events": {"a": 1}},
    ],
)
async def test_what_is_as_expected_passes(folder: Path, expect: Any) -> None:
    assert await failures(folder, expect) == []


@pytest.mark.parametrize(
    "expect",
    [
        "none",
        {"none": True},
        {"none": True, "because": "n is 0"},
        {"none": True, "trigger": "send"},
        {"none": True, "sensor": "sensor", "because": "wanted > 0"},
    ],
)
async def test_nothing_is_expected_where_nothing_happens(folder: Path, expect: Any) -> None:
    assert await failures(folder, expect, FILTERED) == []


async def test_a_payload_that_differs_is_shown_as_a_diff_of_what_is_expected(folder: Path) -> None:
    (failure,) = await failures(folder, {"payload": {"m": {"x": 2}}})

    assert failure.message == "sensor/send: the payload is not as expected"
    assert failure.details.splitlines() == [
        "--- expected",
        "+++ actual",
        "@@ -1,2 +1,2 @@",
        " m:",
        "-  x: 2",
        "+  x: 1",
    ]


async def test_members_with_other_names_are_told(folder: Path) -> None:
    (failure,) = await failures(folder, {"payload": {"number": 1}})

    assert failure.message.endswith(" is not as expected (it also has n, m)")


async def test_types_count(folder: Path) -> None:
    (text,) = await failures(folder, {"payload": {"n": "1"}})
    (truth,) = await failures(folder, {"payload": {"n": True}})

    assert text.details.splitlines()[-2:] == ["-\"n\": '1'", '+"n": 1']
    assert truth.details.splitlines()[-2:] == ['-"n": true', '+"n": 1']


async def test_exactly_allows_no_further_members(folder: Path) -> None:
    (failure,) = await failures(folder, {"payload": {"n": 1}, "exactly": True})

    assert failure.details.splitlines()[-3:] == [' "n": 1', "+m:", "+  x: 1"]


async def test_lists_must_be_as_long_as_expected(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger(block=http(value("", "list")))])
    given = {"source": "web", "event": "a", "data": {"list": [{"x": 1, "y": 1}, 2]}}

    assert await failures(tmp_path, {"payload": [{"x": 1}, 2]}, given) == []
    (shorter,) = await failures(tmp_path, {"payload": [{"x": 1}]}, given)
    assert shorter.details.splitlines()[-2:] == [" - x: 1", "+- 2"]


async def test_options_that_differ_are_shown(folder: Path) -> None:
    (failure,) = await failures(folder, {"http": {"method": "PUT"}})

    assert failure.message == "sensor/send: http is not as expected"
    assert failure.details.splitlines()[-2:] == ["-method: PUT", "+method: POST"]


async def test_the_time_of_an_action_may_be_expected(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger("act", debounce={"period": "30s"})])
    given = {**EVENT, "at": "2026-03-01T12:00:00Z"}

    assert await failures(tmp_path, {"at": "+30s"}, given) == []
    assert await failures(tmp_path, {"at": "2026-03-01T12:00:30Z"}, given) == []
    (failure,) = await failures(tmp_path, {"at": "+10s"}, given)
    assert failure.message == "sensor/act: the time is not as expected"
    (result,) = await run(tmp_path, {"events": [given], "expect": {"at": "noon"}})
    assert result.broken


async def test_time_ends_where_the_test_says(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger("act", debounce={"period": "30s"})])

    assert await failures(tmp_path, {"none": True, "because": "debounce"}, until="+10s") == []


async def test_another_type_of_trigger_is_told(folder: Path) -> None:
    (failure,) = await failures(folder, {"log": {}})

    assert failure.message == "sensor/send: the type of the trigger is not as expected"


async def test_a_missing_action_comes_with_the_reasons(folder: Path) -> None:
    (failure,) = await failures(folder, {"trigger": "send"}, FILTERED, FILTERED)

    assert failure == Failure("sensor/send should act, but does not", "n is 0, wanted > 0")


async def test_actions_are_counted(folder: Path) -> None:
    assert await failures(folder, [{"payload": {"n": 1}}] * 2, EVENT, FILTERED, EVENT) == []
    (missing,) = await failures(folder, [{"payload": {"n": 1}}] * 2, EVENT, FILTERED)
    assert missing.message == "sensor/send should act once more"
    (surplus,) = await failures(folder, {"payload": {"n": 1}}, EVENT, EVENT)
    assert surplus.message == "sensor/send acts on event 2, which is not expected"
    assert surplus.details.startswith('http:\n  url: http://target/\npayload:\n  "n": 1\n')
    (second,) = await failures(folder, [{}, {"payload": {"n": 2}}], EVENT, EVENT)
    assert second.message == "sensor/send, action 2: the payload is not as expected"


async def test_an_action_that_nobody_expects_is_shown(folder: Path) -> None:
    (failure,) = await failures(folder, "none")

    assert failure.message == "sensor/send acts on event 1, which is not expected"


async def test_nothing_for_another_reason_is_a_failure(folder: Path) -> None:
    (failure,) = await failures(folder, {"none": True, "because": "n is 1"}, FILTERED)

    assert failure == Failure(
        "no action as expected, but not because of `n is 1`", "n is 0, wanted > 0"
    )


async def test_other_triggers_may_act_unless_the_test_is_strict(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger("one"), trigger("two")])

    assert await failures(tmp_path, {"trigger": "one"}) == []
    (failure,) = await failures(tmp_path, {"trigger": "one"}, strict=True)
    assert failure.message == "sensor/two acts on event 1, which is not expected"


async def test_it_must_be_clear_which_trigger_is_meant(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger("one"), trigger("two")])

    messages = [
        (await failures(tmp_path, expect))[0].message
        for expect in ({}, {"trigger": "on"}, {"sensor": "sensr"})
    ]

    assert messages == [
        "an expectation must say which trigger it means; here are sensor/one, sensor/two",
        "there is no trigger `on`; did you mean `one`?",
        "there is no sensor `sensr`; did you mean `sensor`?",
    ]


async def test_an_event_that_nobody_depends_on_is_a_mistake_of_the_test(folder: Path) -> None:
    (failure,) = await failures(folder, "none", {"source": "web", "event": "b"})

    assert failure.message.startswith("no sensor depends on the event web/b; did you mean `web/a`")


async def test_a_failing_action_may_be_expected(folder: Path) -> None:
    given = {"source": "web", "event": "a", "data": {"n": 1}}
    write(folder, [dependency("a")], [trigger("send", http(value("n", "missing")))])

    assert await failures(folder, {"error": "path 'missing' does not exist"}, given) == []
    (unexpected,) = await failures(folder, {"trigger": "send"}, given)
    assert unexpected.message == "sensor/send: the action fails"
    (other,) = await failures(folder, {"error": "gone"}, given)
    assert other.message == "sensor/send: fails, but not with `gone`"


async def test_an_action_that_should_fail_and_does_not_is_shown(folder: Path) -> None:
    (failure,) = await failures(folder, {"error": "gone"})

    assert failure.message == "sensor/send: the action should fail"


async def test_a_trigger_that_cannot_run_fails_what_is_expected_of_it(tmp_path: Path) -> None:
    write(tmp_path, [dependency("a")], [trigger("bad", conditions="a && b"), trigger("good")])

    found = await failures(tmp_path, {"trigger": "bad", "none": True})

    assert found[0].message.startswith(
        "sensor/bad cannot run: template.conditions: there is no dependency `b`"
    )
    assert await failures(tmp_path, {"trigger": "good"}) == []


async def test_payloads_come_from_files_beside_the_test(folder: Path) -> None:
    (folder / "n.json").write_text('{"n": 1}')
    write(
        folder,
        [dependency("a")],
        [trigger("send", http(value("n", "n"))), trigger("whole", http(value("", "body.n")))],
    )
    (folder / "recorded.json").write_text(
        json.dumps({"id": "x", "source": "web", "subject": "a", "data": {"n": 1}})
    )
    given = {"source": "web", "event": "a"}
    data, body = {**given, "dataFile": "n.json"}, {**given, "bodyFile": "n.json"}

    assert await failures(folder, {"trigger": "send", "payload": {"n": 1}}, data) == []
    assert await failures(folder, {"trigger": "whole", "payload": 1}, body) == []
    recorded = {"recorded": "recorded.json", "at": "2026-01-01T08:00:00Z"}
    assert await failures(folder, {"trigger": "send", "events": {"a": "x"}}, recorded) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"data": {}, "bodyFile": "x"}, "an event has one payload, but here are `data` and"),
        ({"dataFile": "nowhere.json"}, "cannot be read: no such file or directory"),
        ({"data": {}, "header": {"A": "b"}}, "`header` belongs to `body`"),
        ({"at": "soon"}, "'soon' is neither a time"),
        ({"source": ""}, "`source` is missing"),
    ],
)
async def test_an_event_that_is_wrong_breaks_its_test_only(
    folder: Path, given: dict[str, Any], message: str
) -> None:
    broken, good = await run(
        folder,
        {"events": [EVENT, {"source": "web", "event": "a", **given}], "expect": "none"},
        {"events": [EVENT], "expect": {"trigger": "send"}},
    )

    assert broken.broken
    assert message in broken.failures[0].message
    assert good.passed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tests: []\ntest: 1", ":2: test: unknown key `test`; did you mean `tests`?"),
        ("tests: {}", ":1: tests: `tests` must be a list, but is a mapping"),
        ("- a", "a test file is one document, a mapping with `tests`"),
        ("tests: [", ":1: "),
        (
            "tests:\n  - name: x\n    events:\n      - sorce: a\n    expect: none",
            ":4: tests[0].events[0].sorce: unknown key `sorce`; did you mean `source`?",
        ),
        (
            "tests:\n  - name: x\n    events: [{}]\n    expect:\n      htp: {}",
            ":5: tests[0].expect.htp: unknown key `htp`; did you mean `http`?",
        ),
        (
            "tests:\n  - name: x\n    events: []\n    expect: none",
            ":3: tests[0].events: `events` must be at least 1 long",
        ),
        ("tests:\n  - name: x\n    events: [{}]", "`expect` is missing"),
    ],
)
async def test_a_file_that_is_wrong_is_a_failure_with_its_place(
    folder: Path, text: str, message: str
) -> None:
    path = folder / "wrong.test.yaml"
    path.write_text(text)

    (result,) = [result async for result in Suites([folder]).results()]

    assert result.broken
    assert message in result.failures[0].message
    assert result.failures[0].message.startswith(str(path))


async def test_manifests_that_are_wrong_break_their_tests(tmp_path: Path) -> None:
    (tmp_path / "sensor.yaml").write_text("apiVersion: argoproj.io/v1alpha1\nkind: Sensr\n")

    (result,) = await run(tmp_path, {"events": [EVENT], "expect": "none"})

    assert result.broken
    assert "there is no kind `Sensr`; did you mean `Sensor`?" in result.failures[0].message


async def test_manifests_may_be_named(folder: Path) -> None:
    (folder / "broken.yaml").write_text("a: [")
    (named,) = await run(
        folder,
        {"events": [EVENT], "expect": {"trigger": "send"}},
        manifests=["sensor-sensor.yaml"],
    )

    assert named.passed


async def test_tests_are_found_in_folders_in_order_of_names(folder: Path) -> None:
    text = json.dumps({"tests": [{"name": "x", "events": [EVENT], "expect": {}}]})
    for name in ("b.test.yaml", "a.test.yml", ".hidden/c.test.yaml", "deep/d.test.json", "e.yaml"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    suites = Suites([folder, folder / "b.test.yaml"])

    assert [str(file.relative_to(folder)) for file in suites.files] == [
        "a.test.yml",
        "b.test.yaml",
        "deep/d.test.json",
    ]


def test_there_must_be_a_test_file(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"there is no \*\.test\.yaml in"):
        Suites([tmp_path])
    with pytest.raises(ManifestError, match="there is no such file or folder"):
        Suites([tmp_path / "nowhere"])


async def test_only_tests_with_a_certain_name_run(folder: Path) -> None:
    await run(folder, *[{"events": [EVENT], "expect": {}}] * 12)

    found = [r.name async for r in Suites([folder], matching="test 1").results()]

    assert found == ["test 1", "test 10", "test 11", "test 12"]


async def covered(folder: Path, *tests: dict[str, Any]) -> Coverage:
    """The coverage of a file with these tests."""
    await run(folder, *tests)
    suites = Suites([folder])
    assert all([result.passed async for result in suites.results()])
    return suites.coverage


async def test_coverage_lists_what_no_test_exercises(tmp_path: Path) -> None:
    source = write_source(tmp_path, {"a": {**ENDPOINT, "filter": {"expression": "n < 9"}}})
    sensor = write(
        tmp_path,
        [dependency("a", filters=POSITIVE), dependency("b", filters=POSITIVE)],
        [trigger("one", conditions="a"), trigger("two", conditions="b")],
    )

    coverage = await covered(tmp_path, {"events": [EVENT], "expect": {"trigger": "one"}})

    assert coverage.totals == {"triggers": (1, 2), "filters": (0, 3)}
    assert [(gap.file, gap.what, gap.missing) for gap in coverage.gaps] == [
        (str(sensor), "sensor/two", "never acts"),
        (str(sensor), "sensor, a, filters.data[0]: n > 0", "never refuses an event"),
        (str(sensor), "sensor, b, filters.data[0]: n > 0", "no event comes to it"),
        (str(source), "web, a.filter.expression: n < 9", "never refuses an event"),
    ]


@pytest.mark.parametrize(
    ("path", "expect", "exercised", "gaps"),
    [
        ("n", {"trigger": "act"}, 1, [("sensor/report", "never acts")]),
        ("missing", [{"trigger": "act", "error": "missing"}, {"trigger": "report"}], 2, []),
    ],
)
async def test_a_dlq_trigger_is_exercised_only_when_it_acted(
    tmp_path: Path, path: str, expect: Any, exercised: int, gaps: list[tuple[str, str]]
) -> None:
    fallback = trigger("report", atLeastOnce=True)
    act = trigger("act", http(value("n", path)), atLeastOnce=True, dlqTrigger=fallback)
    write(tmp_path, [dependency("a")], [act])

    coverage = await covered(tmp_path, {"events": [EVENT], "expect": expect})

    assert coverage.totals["triggers"] == (exercised, 2)
    assert [(gap.what, gap.missing) for gap in coverage.gaps] == gaps


async def test_nothing_is_missing_where_everything_was_exercised(folder: Path) -> None:
    coverage = await covered(
        folder,
        {"events": [EVENT], "expect": {"trigger": "send"}},
        {"events": [FILTERED], "expect": "none"},
    )

    assert coverage.gaps == []
    assert coverage.totals == {"triggers": (1, 1), "filters": (1, 1)}


async def test_what_never_passes_is_told(folder: Path) -> None:
    coverage = await covered(folder, {"events": [FILTERED], "expect": "none"})

    assert [gap.missing for gap in coverage.gaps] == ["never acts", "never lets an event pass"]


FROM_FILES = ("bodyFile", "dataFile", "recorded")


@pytest.mark.parametrize(
    "path", ["/etc/hostname", "../x", "sub/../../x", "..", "a\0b", "/proc/1/cwd"]
)
def test_what_a_suite_names_outside_of_a_folder_is_refused_and_not_read(
    folder: Path, path: str
) -> None:
    file = folder / "it.test.yaml"
    for key in FROM_FILES:
        given = {"recorded": path} if key == "recorded" else {**SUBJECT, key: path}
        case = {"name": "a test", "events": [EVENT, given], "expect": "none"}
        file.write_text(json.dumps({"tests": [case]}, indent=1))
        with pytest.raises(ManifestError, match="leads out") as error:
            Suites([folder], within=folder).load()
        assert error.value.path == f"tests[0].events[1].{key}"
        assert (error.value.file, error.value.message.count(repr(path))) == (str(file), 1)
    file.write_text(json.dumps({"tests": [], "manifests": [".", path]}))
    with pytest.raises(ManifestError, match="leads out") as error:
        Suites([folder], within=folder).load()
    assert error.value.path == "manifests[1]"


def test_a_link_leads_where_it_leads(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (folder / "link").symlink_to(other)
    (folder / "it.test.yaml").write_text(json.dumps({"tests": [], "manifests": [".", "link"]}))

    with pytest.raises(ManifestError, match="'link' leads out"):
        Suites([folder], within=folder).load()


async def test_what_a_suite_names_inside_of_a_folder_is_read(folder: Path) -> None:
    (folder / "payloads").mkdir()
    (folder / "payloads" / "one.json").write_text('{"n": 1}')
    given = {**SUBJECT, "dataFile": "payloads/../payloads/one.json"}
    case = {"name": "a test", "events": [given], "expect": {"trigger": "send"}}
    file = folder / "sub" / "it.test.yaml"
    file.parent.mkdir()
    file.write_text(json.dumps({"tests": [case], "manifests": [".."]}))
    (folder / "sub" / "payloads").symlink_to(folder / "payloads")

    suites = Suites([folder], within=folder)
    suites.load()

    assert [result.failures async for result in suites.results()] == [[]]


def test_loading_tells_the_first_thing_that_is_wrong(folder: Path) -> None:
    (folder / "a.test.yaml").write_text(json.dumps({"tests": []}))
    (folder / "b.test.yaml").write_text(json.dumps({"tests": [], "manifests": ["a.test.yaml"]}))
    with pytest.raises(ManifestError, match="there is no Sensor in") as error:
        Suites([folder]).load()
    assert error.value.file == str(folder / "b.test.yaml")

    (folder / "a.test.yaml").write_text("test: []")
    with pytest.raises(ManifestError, match="unknown key `test`"):
        Suites([folder]).load()
