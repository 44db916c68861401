"""An instance on its own bus, its objects started, changed and stopped."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests._ports import free_port
from tiphys.manifests.common import TriggerConfig
from tiphys.observe.metrics import Metrics
from tiphys.runtime.standalone import Options, Standalone
from tiphys.triggers import Firing, Outcome, Trigger, trigger


class Config(TriggerConfig):
    """No options."""


@trigger("faulty", log_name="Faulty")
class Faulty(Trigger[Config]):
    """Has a bug that shows as soon as a manifest names it."""

    @classmethod
    def check(cls, config: Config) -> list[str]:
        raise KeyError("a bug")

    async def fire(self, firing: Firing[Config]) -> Outcome:
        raise NotImplementedError


def sensor(name: str, kind: str) -> dict[str, Any]:
    depends = {"name": "d", "eventSourceName": "web", "eventName": "hook"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Sensor",
        "metadata": {"name": name},
        "spec": {
            "dependencies": [depends],
            "triggers": [{"template": {"name": "t", kind: {}}}],
        },
    }


def webhook() -> dict[str, Any]:
    hook = {"port": str(free_port()), "endpoint": "/", "method": "POST"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "EventSource",
        "metadata": {"name": "web"},
        "spec": {"webhook": {"hook": hook}},
    }


@pytest.fixture
async def instance(tmp_path: Path) -> AsyncIterator[Standalone]:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    options = Options(paths=[manifests], data_dir=tmp_path / "data", host="127.0.0.1")
    instance = Standalone(options, Metrics())
    yield instance
    await instance.stop()


def write(instance: Standalone, *objects: dict[str, Any]) -> None:
    (file,) = (Path(path) / "all.yaml" for path in instance.options.paths)
    file.write_text("\n---\n".join(map(json.dumps, objects)))


async def test_a_bug_that_a_manifest_meets_keeps_no_other_from_running(
    instance: Standalone,
) -> None:
    write(instance, webhook(), sensor("faulty", "faulty"), sensor("sound", "log"))
    (finding,) = await instance.start()

    assert finding.rule == "bug"
    assert "because of a bug of Tiphys: KeyError: 'a bug'" in finding.message
    assert [name for _, _, name in instance.sensors] == ["sound"]
    assert [name for _, _, name in instance.event_sources] == ["web"]


async def test_an_object_that_met_a_bug_runs_when_its_manifest_is_changed(
    instance: Standalone,
) -> None:
    source = webhook()
    write(instance, source, sensor("one", "faulty"))
    await instance.start()
    assert not instance.sensors
    write(instance, source, sensor("one", "log"))
    changes, findings = await instance.reload()

    assert changes.started == [("Sensor", "default", "one")]
    assert findings == []
