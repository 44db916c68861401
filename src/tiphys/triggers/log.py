"""Log: writes the data of the events to the log, for trying a pipeline out."""

from __future__ import annotations

import base64

import structlog
from pydantic import Field

from tiphys.events import CloudEvent
from tiphys.manifests.common import TriggerConfig
from tiphys.triggers import Firing, Outcome, Trigger, TriggerContext, trigger

log = structlog.get_logger("argo-events.sensor")
TEXT_TYPES = ("application/json", "text/plain")


class Config(TriggerConfig):
    """Options of the log trigger."""

    interval_seconds: int = Field(
        0, ge=0, description="Least number of seconds between two lines; 0 writes every event."
    )


@trigger("log", log_name="Log")
class Log(Trigger[Config]):
    """Writes one line per event."""

    async def start(self, ctx: TriggerContext) -> None:
        """Nothing was written yet."""
        await super().start(ctx)
        self._last = float("-inf")

    async def fire(self, firing: Firing[Config]) -> Outcome:
        """Write the events, unless the interval has not passed; never fails."""
        now = self.ctx.clock.monotonic()
        if now - self._last < firing.config.interval_seconds:
            return Outcome(detail="not written: the interval has not passed")
        self._last = now
        for dependency, event in firing.events.items():
            log.info(
                data_text(event),
                dependencyName=dependency,
                eventContext=context_text(event),
                sensorName=firing.sensor,
                triggerName=firing.trigger,
                triggerType=self.log_name,
            )
        return Outcome(detail="written")


def data_text(event: CloudEvent) -> str:
    """The data as text where its media type is one of text, otherwise in base64."""
    if event.data is None:
        return ""
    if event.datacontenttype.partition(";")[0].strip().lower() in TEXT_TYPES:
        return event.data.decode(errors="replace")
    return base64.b64encode(event.data).decode()


def context_text(event: CloudEvent) -> str:
    """The context attributes for people."""
    names = ("id", "source", "specversion", "type", "datacontenttype", "subject", "time")
    return " ".join(f"{name}={getattr(event, name)}" for name in names)
