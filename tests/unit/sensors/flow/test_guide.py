"""The manifests of the guide on flow control are right, and cover every field."""

from __future__ import annotations

import re
from pathlib import Path

from tiphys.manifests.common import EXTENSION
from tiphys.manifests.lint import lint
from tiphys.manifests.loader import load_text
from tiphys.manifests.objects import Sensor
from tiphys.manifests.sensor import Dependency, Trigger
from tiphys.runtime.components import InstalledComponents
from tiphys.sensors.plan import plan_dependencies, plan_trigger

GUIDE = Path(__file__).parents[4] / "docs" / "guide" / "flow-control.md"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
LOADED = load_text("---\n".join(BLOCKS), "flow-control.md")
SENSORS = [found for found in LOADED.objects if isinstance(found, Sensor)]


def test_lint_has_nothing_to_say() -> None:
    found = [*LOADED.findings, *lint(LOADED, InstalledComponents(), strict=True)]

    assert [str(finding) for finding in found] == []


def test_every_trigger_can_run() -> None:
    for manifest in SENSORS:
        spec = manifest.spec
        dependencies = plan_dependencies(spec)
        for trigger in spec.triggers:
            assert plan_trigger(trigger, dependencies, spec.dependencies, strict=False)


def test_every_field_has_an_example() -> None:
    specs = [manifest.spec for manifest in SENSORS]
    shown: set[str] = set()
    for block in [b for spec in specs for b in (*spec.triggers, *spec.dependencies)]:
        shown |= block.model_fields_set
    extensions = {
        name
        for model in (Trigger, Dependency)
        for name, field in model.model_fields.items()
        if field.json_schema_extra == EXTENSION
    }

    assert extensions - shown == set()
