"""The EventSource: where events come from (spec: event sources 1.1)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tiphys.manifests.common import Block
from tiphys.manifests.pod import PodMetadata, PodTemplate


class Service(Block):
    """The Kubernetes Service in front of the event source; ignored outside Kubernetes."""

    ports: list[dict[str, Any]] = Field([], description="Ports, as in a Kubernetes Service.")
    cluster_ip: str = Field("", alias="clusterIP", description="Address; `None`: headless.")
    metadata: PodMetadata | None = Field(None, description="Labels and annotations.")


class EventSourceSpec(Block):
    """
    The body of an EventSource.

    Every other member is an event type (``webhook``, ``kafka``, …) that maps names of events to
    their options.  Those stay as they are here, because their models live with the components.
    """

    event_bus_name: str = Field("", description="EventBus to use; `default` when empty.")
    template: PodTemplate | None = Field(None, description="Pod template.")
    service: Service | None = Field(None, description="Service in front of the Pods.")
    replicas: int | None = Field(None, description="Number of Pods.")

    @property
    def events(self) -> dict[str, dict[str, Any]]:
        """Event type to event name to options, as written; what is no mapping is left out."""
        return {
            key: {str(name): block for name, block in value.items()}
            for key, value in (self.model_extra or {}).items()
            if isinstance(value, dict)
        }
