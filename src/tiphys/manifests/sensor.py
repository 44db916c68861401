"""The Sensor: which events it depends on and what they set in motion (spec: sensors 1)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tiphys.manifests.common import EXTENSION, BackoffBlock, Block, Parameter
from tiphys.manifests.flow import (
    Absence,
    Batch,
    BlackoutWindow,
    ConditionsJoin,
    Debounce,
    Dedupe,
    Throttle,
)
from tiphys.manifests.pod import PodTemplate


class ExpressionField(Block):
    """A name of an expression filter and the path of its value."""

    path: str = Field("", description="Path into the event's data.")
    name: str = Field("", description="Name of the value in the expression.")


class ExpressionFilter(Block):
    """An expression over values of the event (spec: sensors 5.4)."""

    expr: str = Field("", description="Expression that must be true.")
    fields: list[ExpressionField] = Field([], description="The values it uses.")


class DataFilter(Block):
    """A comparison of one value of the event (spec: sensors 5.5)."""

    path: str = Field("", description="Path into the event's data.")
    type: str = Field("", description="`string`, `number` or `bool`.")
    value: list[str] = Field([], description="Alternatives; one of them must match.")
    comparator: str = Field("", description="`=` (the default), `!=`, `>`, `>=`, `<` or `<=`.")
    template: str = Field("", description="Go template that rewrites the value first.")


class ContextFilter(Block):
    """Exact values of context attributes (spec: sensors 5.6)."""

    type: str = Field("", description="Type of the event.")
    subject: str = Field("", description="Name of the event.")
    source: str = Field("", description="Name of the event source.")
    datacontenttype: str = Field("", description="Media type of the data.")
    id: str = Field("", description="Accepted; without effect.")
    specversion: str = Field("", description="Accepted; without effect.")
    time: Any = Field(None, description="Accepted; without effect.")


class TimeFilter(Block):
    """A window of the day (spec: sensors 5.7)."""

    start: str = Field("", description="First moment, `HH:MM:SS`.")
    stop: str = Field("", description="First moment after the window, `HH:MM:SS`.")
    timezone: str = Field("", description="IANA zone; UTC when empty.")


class Filters(Block):
    """Conditions on one event (spec: sensors 1.3)."""

    exprs: list[ExpressionFilter] = Field([], description="Expressions over values.")
    expr_logical_operator: str = Field("", description="Joins `exprs`: `and` or `or`.")
    data: list[DataFilter] = Field([], description="Comparisons of single values.")
    data_logical_operator: str = Field("", description="Joins `data`: `and` or `or`.")
    context: ContextFilter | None = Field(None, description="Values of context attributes.")
    time: TimeFilter | None = Field(None, description="Window of the day.")
    script: str = Field("", description="Lua script that must return true.")


class Transform(Block):
    """A change to the event's data before the filters (spec: sensors 1.5)."""

    jq: str = Field("", description="jq program; its first output is the new data.")
    script: str = Field("", description="Lua script; the table it returns is the new data.")


class Dependency(Block):
    """An event that the sensor reacts to (spec: sensors 1.2)."""

    name: str = Field("", description="Name for conditions and parameters.")
    event_source_name: str = Field("", description="Name of the EventSource.")
    event_name: str = Field("", description="Name of the event in it.")
    filters: Filters | None = Field(None, description="Which of its events count.")
    filters_logical_operator: str = Field(
        "", description="Joins the kinds of filters: `and` or `or`."
    )
    transform: Transform | None = Field(None, description="Runs before the filters.")
    dedupe: Dedupe | None = Field(
        None, description="Drops events that came already.", json_schema_extra=EXTENSION
    )
    start_from: str = Field(
        "",
        description="Where a new trigger begins: `new` (the default), `all`, an RFC 3339 time, or "
        "a duration ago such as `24h`.",
        json_schema_extra=EXTENSION,
    )


class ByTime(Block):
    """A schedule at which held events are forgotten."""

    cron: str = Field("", description="Cron expression, five fields.")
    timezone: str = Field("", description="IANA zone of the schedule.")


class ConditionsReset(Block):
    """When events that wait for a condition are forgotten (spec: sensors 13.6)."""

    by_time: ByTime | None = Field(None, description="At times of a schedule.")


class TriggerTemplate(Block):
    """
    What a trigger does.

    The block of the trigger type (``http``, ``k8s``, …) is kept in :attr:`blocks`, because its
    model lives with its component.
    """

    name: str = Field("", description="Name, unique in the sensor.")
    conditions: str = Field("", description="Dependencies joined by `&&`, `||` and parentheses.")
    conditions_reset: list[ConditionsReset] = Field([], description="When held events are dropped.")

    @property
    def blocks(self) -> dict[str, Any]:
        """Every other member: the trigger types by manifest key, and unknown keys."""
        return dict(self.model_extra or {})


class StatusPolicy(Block):
    """Which status codes are a success (spec: triggers 2.2)."""

    allow: list[int] = Field([], description="Accepted status codes.")


class LabelPolicy(Block):
    """Which labels the created object must get (spec: triggers 2.1)."""

    labels: dict[str, str] = Field({}, description="Labels that must all be there.")
    backoff: BackoffBlock | None = Field(None, description="How often to look.")
    error_on_backoff_timeout: bool = Field(
        False, description="Whether an object that never gets the labels is a failure."
    )


class Policy(Block):
    """What makes an executed action a success (spec: triggers 2)."""

    k8s: LabelPolicy | None = Field(None, description="Labels of the object.")
    status: StatusPolicy | None = Field(None, description="Status codes of the answer.")


class RateLimit(Block):
    """How many attempts may start in a span of time (spec: sensors 14.4)."""

    unit: str = Field("Second", description="`Second`, `Minute` or `Hour`.")
    requests_per_unit: int = Field(0, description="Attempts in one unit.")


class Trigger(Block):
    """A trigger with everything around its action (spec: sensors 1.6)."""

    template: TriggerTemplate | None = Field(None, description="What to do.")
    parameters: list[Parameter] = Field([], description="Event values laid over the template.")
    policy: Policy | None = Field(None, description="What counts as a success.")
    retry_strategy: BackoffBlock | None = Field(None, description="Repeats a failed action.")
    rate_limit: RateLimit | None = Field(None, description="Limits how often it runs.")
    at_least_once: bool | None = Field(
        None, description="`true`: acknowledge after acting; `false`: before; absent: after."
    )
    dlq_trigger: Trigger | None = Field(None, description="Runs after the last failed attempt.")
    concurrency: int | None = Field(
        None,
        description="How many actions may run at once; 64 when absent, 1 with `atLeastOnce: true`.",
        json_schema_extra=EXTENSION,
    )
    order_by: str = Field(
        "",
        description="Path into the event's data; actions with the same value run one after the "
        "other, in the order of their events.",
        json_schema_extra=EXTENSION,
    )
    debounce: Debounce | None = Field(
        None, description="Act once for a burst of events.", json_schema_extra=EXTENSION
    )
    batch: Batch | None = Field(
        None, description="Act once for several events.", json_schema_extra=EXTENSION
    )
    throttle: Throttle | None = Field(
        None, description="Bounds how often actions begin.", json_schema_extra=EXTENSION
    )
    suspend: bool = Field(
        False,
        description="Do nothing; events wait on the bus until this is false again.",
        json_schema_extra=EXTENSION,
    )
    blackout: list[BlackoutWindow] = Field(
        [],
        description="When no action begins; events wait on the bus.",
        json_schema_extra=EXTENSION,
    )
    conditions_join: ConditionsJoin | None = Field(
        None,
        description="Which events of a condition with `&&` belong together.",
        json_schema_extra=EXTENSION,
    )
    absence: Absence | None = Field(
        None, description="Act when an event does not come.", json_schema_extra=EXTENSION
    )


class SensorSpec(Block):
    """The body of a Sensor (spec: sensors 1.1)."""

    dependencies: list[Dependency] = Field([], description="The events it may react to.")
    triggers: list[Trigger] = Field([], description="The actions.")
    template: PodTemplate | None = Field(None, description="Pod template.")
    event_bus_name: str = Field("", description="EventBus to use; `default` when empty.")
    replicas: int | None = Field(None, description="Number of pods.")
    revision_history_limit: int | None = Field(None, description="Deployment field.")
    error_on_failed_round: bool = Field(False, description="Accepted; without effect.")
    logging_fields: dict[str, str] = Field({}, description="Added to every log line.")
