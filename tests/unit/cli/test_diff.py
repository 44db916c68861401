"""``tiphys diff`` on recorded events, as users call it."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from tests.unit.cli._calls import Call

SENSOR = """
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: orders}
spec:
  dependencies:
    - name: order
      eventSourceName: shop
      eventName: order
      filters:
        data: [{path: total, type: number, comparator: ">=", value: ["1000"]}]
  triggers:
    - template:
        name: tell
        http:
          url: http://sales.example/
          payload:
            - {dest: order, src: {dependencyName: order, dataKey: id}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two equal versions, and three events, one of them of another source."""
    for name in ("old.yaml", "new.yaml"):
        (tmp_path / name).write_text(SENSOR)
    (tmp_path / "events").mkdir()
    for number, (source, total) in enumerate([("shop", 500), ("shop", 1500), ("mail", 1500)], 1):
        members = {
            "id": f"e{number}",
            "source": source,
            "subject": "order",
            "time": f"2026-03-02T12:00:0{number}Z",
            "data": {"id": f"A-{number}", "total": total},
        }
        (tmp_path / "events" / f"{number}.json").write_text(json.dumps(members))
    return tmp_path


@pytest.fixture
def diff(call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """``tiphys diff`` of the two versions, in the folder."""
    monkeypatch.chdir(folder)
    return functools.partial(call, "diff", "old.yaml", "new.yaml")


def change(folder: Path, old: str, new: str) -> None:
    """Change the new version."""
    text = SENSOR.replace(old, new)
    assert text != SENSOR
    (folder / "new.yaml").write_text(text)


def test_versions_that_do_the_same_have_no_difference(folder: Path, diff: Call) -> None:
    done = diff("--events", "events")

    assert (done.returncode, done.stdout) == (0, "2 events, no difference\n")
    assert done.stderr == ""


def test_another_payload_is_a_diff(folder: Path, diff: Call) -> None:
    change(folder, "dataKey: id", "dataTemplate: 'no {{ .Input.id }}'")

    done = diff("--events", "events")

    assert done.returncode == 1
    assert done.stdout == (
        "event e2  shop/order  2026-03-02T12:00:02Z\n"
        "  orders/tell: the actions differ\n"
        "    --- OLD\n"
        "    +++ NEW\n"
        "    @@ -1,4 +1,4 @@\n"
        "     http:\n"
        "       url: http://sales.example/\n"
        "     payload:\n"
        "    -  order: A-2\n"
        "    +  order: no A-2\n"
        "2 events, 1 with other actions\n"
    )


def test_an_action_of_one_version_only_comes_with_the_reason_of_the_other(
    folder: Path, diff: Call
) -> None:
    change(folder, '"1000"', '"400"')

    more = diff("--events", "events")
    (folder / "old.yaml").write_text((folder / "new.yaml").read_text())
    (folder / "new.yaml").write_text(SENSOR)
    fewer = diff("--events", "events")

    assert (more.returncode, fewer.returncode) == (1, 1)
    assert more.stdout == (
        "event e1  shop/order  2026-03-02T12:00:01Z\n"
        "  orders/tell: only NEW acts\n"
        "    OLD: filtered out for order: total is 500, wanted >= 1000\n"
        "    http:\n"
        "      url: http://sales.example/\n"
        "    payload:\n"
        "      order: A-1\n"
        "2 events, 1 with other actions\n"
    )
    assert "  orders/tell: only OLD acts\n    NEW: filtered out" in fewer.stdout


def test_an_action_that_cannot_be_made_any_more_differs(folder: Path, diff: Call) -> None:
    change(folder, "dataKey: id", "dataKey: number")

    done = diff("--events", "events")

    assert "    +error: \"unable to resolve 'order'" in done.stdout


def test_conditions_are_followed_over_all_events(folder: Path, diff: Call) -> None:
    both = "    - {name: mail, eventSourceName: mail, eventName: order}\n  triggers:\n"
    change(folder, "  triggers:\n", both)

    done = diff("--events", "events")

    assert done.stdout.splitlines()[-1] == "3 events, 2 with other actions"
    assert "    NEW: kept as order; the condition order&&mail still needs mail\n" in done.stdout


def test_a_sensor_or_event_may_be_chosen(folder: Path, diff: Call) -> None:
    change(folder, '"1000"', '"400"')

    assert diff("--events", "events", "--sensor", "another").returncode == 0
    assert diff("--events", "events", "--event", "another").returncode == 0
    assert diff("--events", "events", "--sensor", "orders").returncode == 1


def test_json_has_the_same(folder: Path, diff: Call) -> None:
    change(folder, '"1000"', '"400"')

    done = diff("--events", "events", "--json")

    found = json.loads(done.stdout)
    assert found["events"] == 2
    (only,) = found["changes"]
    assert (only["event"], only["sensor"], only["trigger"], only["side"]) == (
        "e1",
        "orders",
        "tell",
        "new",
    )


def test_events_must_come_from_somewhere(folder: Path, diff: Call) -> None:
    none = diff()
    nowhere = diff("--since", "1h", "--api", "http://127.0.0.1:1")

    assert none.stderr == (
        "error: say from when on: --since 24h; or where the events are: --events DIR\n"
    )
    assert nowhere.stderr.startswith("error: no running instance answers at http://127.0.0.1:1")
    assert (none.returncode, nowhere.returncode) == (1, 1)
