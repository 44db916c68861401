"""Which triggers and filters the tests exercised."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from tiphys.testing.pipelines._pipeline import Pipeline, Run
from tiphys.testing.pipelines._sensors import DrySensor
from tiphys.testing.pipelines._sources import FILTER

Part = tuple[str, str, str, str]
"""File and name of the object, and dependency and path of the part (empty: a trigger's name)."""


@dataclasses.dataclass(frozen=True)
class Gap:
    """
    Something that no test exercised as far as it goes.

    *what* is a trigger or the part of a filter, in words; *missing* what never happened.
    """

    file: str
    what: str
    missing: str


class Coverage:
    """
    Collects what runs exercised.

    A trigger or ``dlqTrigger`` is exercised when it acted, a part of a filter when it let an event
    pass and refused another.
    """

    def __init__(self) -> None:
        self._triggers: dict[tuple[str, str, str], bool] = {}
        self._filters: dict[Part, set[bool]] = {}
        self._texts: dict[Part, str] = {}

    def add(self, pipeline: Pipeline, runs: Iterable[Run]) -> None:
        """Take the manifests of *pipeline* and *runs* of it into account."""
        files = {name: s.manifest.origin.file for name, s in pipeline.sensors.items()}
        for sensor in pipeline.sensors.values():
            for name in _actors(sensor):
                self._triggers.setdefault((files[sensor.name], sensor.name, name), False)
            for parts in sensor.filters:
                for part in parts.parts:
                    key = (files[sensor.name], sensor.name, parts.dependency, part.path)
                    self._declare(key, part.text)
        sources = {name: s.manifest.origin.file for name, s in pipeline.sources.items()}
        for source in pipeline.sources.values():
            for event, expression in source.filters.items():
                key = (sources[source.name], source.name, "", f"{event}.{FILTER}")
                self._declare(key, expression)
        for run in runs:
            for action in run.actions:
                self._triggers[files[action.sensor], action.sensor, action.trigger] = True
            for found in run.judgements:
                file = (files if found.dependency else sources)[found.owner]
                key = (file, found.owner, found.dependency, found.path)
                self._filters[key].add(found.passed)

    @property
    def totals(self) -> dict[str, tuple[int, int]]:
        """How many triggers and parts of filters are exercised, and how many there are."""
        exercised = sum(len(outcomes) == 2 for outcomes in self._filters.values())
        return {
            "triggers": (sum(self._triggers.values()), len(self._triggers)),
            "filters": (exercised, len(self._filters)),
        }

    @property
    def gaps(self) -> list[Gap]:
        """What is not exercised."""
        gaps = [
            Gap(file, f"{sensor}/{name}", "never acts")
            for (file, sensor, name), acted in self._triggers.items()
            if not acted
        ]
        for key, outcomes in self._filters.items():
            if len(outcomes) < 2:
                file, owner, dependency, path = key
                place = ", ".join(part for part in (owner, dependency, path) if part)
                gaps.append(Gap(file, f"{place}: {self._texts[key]}", _missing(outcomes)))
        return gaps

    def _declare(self, key: Part, text: str) -> None:
        self._filters.setdefault(key, set())
        self._texts[key] = " ".join(text.split())


def _actors(sensor: DrySensor) -> Iterator[str]:
    """The names of the triggers that can run, each followed by that of its ``dlqTrigger``."""
    for name, trigger in sensor.triggers.items():
        yield name
        if trigger.fallback is not None:
            yield trigger.fallback.plan.name


def _missing(outcomes: set[bool]) -> str:
    if not outcomes:
        return "no event comes to it"
    return "never refuses an event" if True in outcomes else "never lets an event pass"
