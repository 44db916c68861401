"""``tiphys render`` as users call it."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tiphys.languages import yaml_json

PROGRAM = Path(sysconfig.get_path("scripts")) / "tiphys"
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


def tiphys(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the installed program in *folder*."""
    return subprocess.run(
        [PROGRAM, "render", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "TIPHYS_SECRET_SALES_TOKEN": "hunter2"},
    )


def test_it_shows_what_would_be_sent_and_why(folder: Path) -> None:
    done = tiphys(folder, "orders", *NOON, "--body", f"order={BIG}")

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


def test_a_refusal_is_explained_part_by_part(folder: Path) -> None:
    body = 'order={"total": 5}'

    done = tiphys(folder, "orders", "--at", "2026-03-02T20:00:00Z", "-b", body, "--trigger", "tell")

    assert done.returncode == 1
    assert done.stdout.splitlines()[2:] == [
        "#   order, filters.data[0]: refuses: body.total is 5, wanted >= 1000",
        "#   order, filters.time: refuses: time 2026-03-02T20:00:00Z is not in 08:00:00 to 18:00:00",
        "---",
        "# orders/tell does not act",
        "#   body.total is 5, wanted >= 1000; time 2026-03-02T20:00:00Z is not in 08:00:00 to "
        "18:00:00",
    ]


def test_the_filter_of_the_event_source_is_asked_first(folder: Path) -> None:
    done = tiphys(folder, "orders", "-b", 'order={"total": 0}', "--trigger", "tell")

    assert done.returncode == 1
    assert "#   order.filter.expression: refuses: body.total > 0\n" in done.stdout
    assert done.stdout.endswith("#   dropped: the filter `body.total > 0` is false\n")


def test_several_events_complete_a_condition(folder: Path) -> None:
    done = tiphys(
        folder, "orders", *NOON, "-b", f"order={BIG}", "-d", "approval={}", "--trigger", "ship"
    )

    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("# orders/ship acts on event 2 (order: 1, approval: 2)\nlog: {}\n")


def test_recorded_events_keep_their_id_and_time(folder: Path) -> None:
    members = {
        "id": "4711",
        "source": "shop",
        "subject": "order",
        "time": "2026-03-02T12:00:00Z",
        "data": {"body": json.loads(BIG)},
    }
    (folder / "event.json").write_text(json.dumps(members))

    done = tiphys(folder, "orders", "--recorded", "event.json", "--trigger", "tell")

    assert done.returncode == 0, done.stdout
    assert "# orders/tell acts on event 1 (order: 4711)\n" in done.stdout


def test_the_output_is_yaml(folder: Path) -> None:
    done = tiphys(folder, "orders", *NOON, "-b", f"order={BIG}", "--trigger", "tell")

    text = yaml_json.convert(done.stdout.partition("---\n")[2].encode())

    assert json.loads(text)["payload"] == {"order": "A-1"}


def test_json_has_the_same(folder: Path) -> None:
    done = tiphys(folder, "orders", *NOON, "-b", f"order={BIG}", "--json")

    found = json.loads(done.stdout)
    tell, ship = found["triggers"]
    assert tell["actions"][0]["payload"] == {"order": "A-1"}
    assert ship["reasons"] == ["the condition order&&approval still needs approval"]
    assert [part["passed"] for part in found["filters"]] == [True, True, True]


@pytest.mark.parametrize("option", ["--json", "--trigger=tell"])
def test_secrets_are_never_shown(folder: Path, option: str) -> None:
    assert "hunter2" not in tiphys(folder, "orders", *NOON, "-b", f"order={BIG}", option).stdout


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
def test_mistakes_are_told_in_one_line(folder: Path, arguments: list[str], message: str) -> None:
    done = tiphys(folder, *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
