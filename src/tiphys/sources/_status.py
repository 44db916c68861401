"""How an event service is doing, for readiness, the API and people."""

from __future__ import annotations

import dataclasses
from datetime import datetime


@dataclasses.dataclass(slots=True)
class Status:
    """
    The state of one event service, kept current by whoever runs it.

    *running*: it is being run, and restarted when it fails.  *ready*: its connection stands, or
    its endpoint answers.  *error*: why not, or what else a person should see to.  *silent*: no
    event came for longer than ``expectEvery`` says.
    """

    name: str
    type: str
    running: bool = False
    ready: bool = False
    error: str | None = None
    last_event: datetime | None = None
    sent: int = 0
    failed: int = 0
    endpoint: str | None = None
    silent: bool = False
