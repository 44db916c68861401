"""Operations that pause and resume triggers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from tiphys.dashboard._operations import Member, Operation, answer, body_of, text_of
from tiphys.errors import ManifestError
from tiphys.runtime.standalone import Standalone
from tiphys.sensors.runner import SensorRunner

PATH = "/api/v1/sensors/{namespace}/{name}"
OWN = "-"  # stands for the namespace of the instance


def operations(instance: Standalone) -> list[Operation]:
    """
    What there is.

    The namespace ``-`` is the one of the instance; the answer lists the triggers and their phases.
    """

    async def pause(request: Request) -> Response:
        return await _changed(request, lambda sensor, trigger: sensor.pause(trigger))

    async def resume(request: Request) -> Response:
        return await _changed(request, lambda sensor, trigger: sensor.resume(trigger))

    async def _changed(
        request: Request, change: Callable[[SensorRunner, str | None], Awaitable[None]]
    ) -> Response:
        sensor = _sensor(instance, request)
        await change(sensor, text_of(await body_of(request), "trigger", "") or None)
        statuses = sensor.statuses.values()
        return answer([{"trigger": s.name, "phase": s.phase, "reason": s.reason} for s in statuses])

    which = {"trigger": Member("Name of the trigger; all if absent.", "string")}
    return [
        Operation("POST", f"{PATH}/pause", "Let events wait on the bus.", pause, body=which),
        Operation("POST", f"{PATH}/resume", "Go on with the backlog.", resume, body=which),
    ]


def _sensor(instance: Standalone, request: Request) -> SensorRunner:
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    if namespace == OWN:
        namespace = instance.options.namespace
    sensor = instance.sensors.get(("Sensor", namespace, name))
    if sensor is None:
        raise ManifestError(f"the sensor {namespace}/{name} does not run here")
    return sensor
