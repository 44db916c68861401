"""Bodies of requests that try manifests out."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e._manifests import dependency, dumped, http_trigger, sensor

SENSOR = dumped(sensor("s", [dependency("dep")], [http_trigger("t", "http://x/", {"n": "dep:n"})]))


def texts(files: dict[str, Any]) -> dict[str, str]:
    """Files; what is no text is written as JSON."""
    return {n: c if isinstance(c, str) else json.dumps(c, indent=1) for n, c in files.items()}


def suite(*tests: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A test file."""
    named = [{"name": f"test {number}", **test} for number, test in enumerate(tests, 1)]
    return {"tests": named, **more}


def endless() -> dict[str, str]:
    """Files whose tests compute for minutes."""
    case = {"events": [{"recorded": "many.json"}], "expect": {"none": True}}
    return texts({"s.yaml": SENSOR, "many.json": events(), "long.test.yaml": suite(*[case] * 1000)})


def vast() -> dict[str, str]:
    """Files whose test needs more memory than there is."""
    case = {"events": [{"recorded": "many.json"}] * 5000, "expect": {"none": True}}
    return texts({"s.yaml": SENSOR, "many.json": events(), "vast.test.yaml": suite(case)})


def events() -> list[dict[str, Any]]:
    """A thousand events, as they are recorded."""
    return [{"source": "web", "subject": "hook", "data": {"n": number}} for number in range(1000)]
