"""``tiphys render`` as users call it."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from tests.unit.cli._calls import Call
from tiphys.languages import yaml_json

MANIFESTS = """
apiVersion: argoproj.io/v1alpha1
kind: EventSource
metadata: {name: shop}
spec:
  webhook:
    order: {endpoint: /o, port: "1", method: POST, filter: {expression: body.total > 0}}
---
apiVersion: argoproj.io/v1alpha1
kind: Sensor
metadata: {name: orders}
spec:
  dependencies:
    - name: order
      eventSourceName: shop
      eventName: order
      filters:
        data: [{path: body.total, type: number, comparator: ">=", value: ["1000"]}]
        time: {start: "08:00:00", stop: "18:00:00"}
    - name: approval
      eventSourceName: desk
      eventName: approved
  triggers:
    - template:
        name: tell
        conditions: order
        http:
          url: http://sales.example/
          secureHeaders:
            - name: Authorization
              valueFrom: {secretKeyRef: {name: sales, key: token}}
          payload:
            - {dest: order, src: {dependencyName: order, dataKey: body.id}}
    - template: {name: ship, conditions: order && approval, log: {}}
"""
BIG = '{"id": "A-1", "total": 1000}'
NOON = ("--at", "2026-03-02T12:00:00Z")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders.yaml").write_text(MANIFESTS)
    return tmp_path


@pytest.fixture
def render(call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """``tiphys render`` in the folder, where a secret could be found."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TIPHYS_SECRET_SALES_TOKEN", "hunter2")
    return functools.partial(call, "render")


def test_it_shows_what_would_be_sent_and_why(folder: Path, render: Call) -> None:
    done = render("orders", *NOON, "--body", f"order={BIG}")

    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "# event 1: shop/order at 2026-03-02T12:00:00Z\n"
        "#   order.filter.expression: passes: body.total > 0\n"
        "#   order, filters.data[0]: passes: body.total >= 1000\n"
        "#   order, filters.time: passes: from 08:00:00 to 18:00:00\n"
        "---\n"
        "# orders/tell acts on event 1 (order: 1)\n"
        "http:\n"
        "  url: http://sales.example/\n"
        "  secureHeaders:\n"
        "    - name: Authorization\n"
        "      valueFrom:\n"
        "        secretKeyRef:\n"
        "          name: sales\n"
        "          key: token\n"
        "payload:\n"
        "  order: A-1\n"
        "---\n"
        "# orders/ship does not act\n"
        "#   the condition order&&approval still needs approval\n"
    )


def test_a_refusal_is_explained_part_by_part(folder: Path, render: Call) -> None:
    body = 'order={"total": 5}'

    done = render("orders", "--at", "2026-03-02T20:00:00Z", "-b", body, "--trigger", "tell")

    assert done.returncode == 1
    assert done.stdout.splitlines()[2:] == [
        "#   order, filters.data[0]: refuses: body.total is 5, wanted >= 1000",
        "#   order, filters.time: refuses: time 2026-03-02T20:00:00Z is not in 08:00:00 to "
        "18:00:00",
        "---",
        "# orders/tell does not act",
        "#   body.total is 5, wanted >= 1000; time 2026-03-02T20:00:00Z is not in 08:00:00 to "
        "18:00:00",
    ]


def test_the_filter_of_the_event_source_is_asked_first(folder: Path, render: Call) -> None:
    done = render("orders", "-b", 'order={"total": 0}', "--trigger", "tell")

    assert done.returncode == 1
    assert "#   order.filter.expression: refuses: body.total > 0\n" in done.stdout
    assert done.stdout.endswith("#   the filter `body.total > 0` is false\n")


def test_several_events_complete_a_condition(folder: Path, render: Call) -> None:
    done = render("orders", *NOON, "-d", "approval={}", "-b", f"order={BIG}", "--trigger", "ship")

    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("# orders/ship acts on event 2 (approval: 1, order: 2)\nlog: {}\n")


def test_recorded_events_keep_their_id_and_time(folder: Path, render: Call) -> None:
    members = {
        "id": "4711",
        "source": "shop",
        "subject": "order",
        "time": "2026-03-02T12:00:00Z",
        "data": {"body": json.loads(BIG)},
    }
    (folder / "event.json").write_text(json.dumps(members))

    done = render("orders", "--recorded", "event.json", "--trigger", "tell")

    assert done.returncode == 0, done.stdout
    assert "# orders/tell acts on event 1 (order: 4711)\n" in done.stdout


def test_the_output_is_yaml(folder: Path, render: Call) -> None:
    done = render("orders", *NOON, "-b", f"order={BIG}", "--trigger", "tell")

    text = yaml_json.convert(done.stdout.partition("---\n")[2].encode())

    assert json.loads(text)["payload"] == {"order": "A-1"}


def test_json_has_the_same(folder: Path, render: Call) -> None:
    done = render("orders", *NOON, "-b", f"order={BIG}", "--json")

    found = json.loads(done.stdout)
    tell, ship = found["triggers"]
    assert tell["actions"][0]["payload"] == {"order": "A-1"}
    assert ship["reasons"] == ["the condition order&&approval still needs approval"]
    assert [part["passed"] for part in found["filters"]] == [True, True, True]


@pytest.mark.parametrize("option", ["--json", "--trigger=tell"])
def test_secrets_are_never_shown(render: Call, option: str) -> None:
    assert "hunter2" not in render("orders", *NOON, "-b", f"order={BIG}", option).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["order"], "there is no Sensor 'order'; did you mean `orders`?"),
        (["orders"], "there is no event; give one with --data, --body or --recorded"),
        (["orders", "-d", "{}"], "orders depends on several events; say which one is meant"),
        (["orders", "-d", "oder={}"], "orders has no dependency 'oder'; did you mean `order`?"),
        (["orders", "--trigger", "tel"], "orders has no trigger 'tel'; did you mean `tell`?"),
        (["orders", "-d", "order={"], "the data is not JSON"),
        (["orders", "-d", "order={}", "--at", "noon"], "'noon' is neither a time"),
        (["orders", "-f", "nowhere"], "nowhere: cannot be read"),
    ],
)
def test_mistakes_are_told_in_one_line(render: Call, arguments: list[str], message: str) -> None:
    done = render(*arguments)

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
