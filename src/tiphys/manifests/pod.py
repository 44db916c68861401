"""What a manifest may say about the Pods that run it (spec: control plane 11)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tiphys.manifests.common import Block


class PodMetadata(Block):
    """Labels and annotations."""

    labels: dict[str, str] = Field({}, description="Labels of the Pods.")
    annotations: dict[str, str] = Field({}, description="Annotations of the Pods.")


class PodPlacement(Block):
    """Fields that are copied to the Pod as they are."""

    metadata: PodMetadata | None = Field(None, description="Labels and annotations of the Pods.")
    service_account_name: str = Field("", description="ServiceAccount of the Pods.")
    security_context: dict[str, Any] | None = Field(None, description="Pod security context.")
    node_selector: dict[str, str] = Field({}, description="Labels that a node must have.")
    tolerations: list[dict[str, Any]] = Field([], description="Taints that the Pods tolerate.")
    affinity: dict[str, Any] | None = Field(None, description="Scheduling constraints.")
    image_pull_secrets: list[dict[str, Any]] = Field([], description="Secrets of registries.")
    priority_class_name: str = Field("", description="PriorityClass of the Pods.")
    priority: int | None = Field(None, description="Priority of the Pods.")


class BusContainer(Block):
    """A container of a bus server."""

    resources: dict[str, Any] | None = Field(None, description="Requests and limits.")
    security_context: dict[str, Any] | None = Field(None, description="Security context.")
    image_pull_policy: str = Field("", description="When the image is pulled.")


class Container(BusContainer):
    """The container that runs an EventSource or a Sensor; all other fields are ignored."""

    env: list[dict[str, Any]] = Field([], description="Environment variables.")
    env_from: list[dict[str, Any]] = Field([], description="Sources of environment variables.")
    volume_mounts: list[dict[str, Any]] = Field([], description="Where volumes are mounted.")


class PodTemplate(PodPlacement):
    """The ``template`` of an EventSource or a Sensor; ignored outside Kubernetes."""

    volumes: list[dict[str, Any]] = Field([], description="Volumes of the Pods.")
    container: Container | None = Field(None, description="The container.")
