"""The results of tests as JSON data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tiphys.testing.pipelines._coverage import Coverage
from tiphys.testing.pipelines._runner import Result


def results_as_json(results: Sequence[Result], coverage: Coverage | None) -> dict[str, Any]:
    """Everything about *results*, with their number, and *coverage* where it is asked for."""
    document: dict[str, Any] = {
        "passed": sum(result.passed for result in results),
        "failed": sum(not result.passed for result in results),
        "tests": [
            {**dataclasses.asdict(result), "passed": result.passed, "seconds": result.seconds}
            for result in results
        ],
    }
    if coverage is not None:
        document["coverage"] = {
            "totals": {
                what: {"exercised": done, "all": all_}
                for what, (done, all_) in coverage.totals.items()
            },
            "gaps": [dataclasses.asdict(gap) for gap in coverage.gaps],
        }
    return document
