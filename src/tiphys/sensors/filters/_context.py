"""Exact values of context attributes (spec: sensors 5.6)."""

from __future__ import annotations

from tiphys.manifests.sensor import ContextFilter
from tiphys.sensors.event import Event
from tiphys.sensors.filters._verdict import PASSED, Verdict


class ContextAttributes:
    """Every attribute that the filter names must be equal."""

    def __init__(self, wanted: ContextFilter) -> None:
        names = ("type", "subject", "source", "datacontenttype")
        self._wanted = {name: getattr(wanted, name) for name in names if getattr(wanted, name)}

    def evaluate(self, event: Event) -> Verdict:
        """Compare; never an error."""
        for name, value in self._wanted.items():
            actual = getattr(event.cloud_event, name)
            if actual != value:
                return Verdict(False, reason=f"context {name} is {actual!r}, wanted {value!r}")
        return PASSED
