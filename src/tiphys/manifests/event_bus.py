"""The EventBus: how events travel (spec: control plane 7)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tiphys.manifests.common import TLS, Block, SecretRef
from tiphys.manifests.pod import BusContainer, PodPlacement


class Persistence(Block):
    """A persistent volume for each server."""

    storage_class_name: str | None = Field(None, description="StorageClass of the volumes.")
    access_mode: str = Field("ReadWriteOnce", description="Access mode of the volumes.")
    volume_size: str | int | None = Field(
        None, description="Size of a volume; `20Gi` for JetStream, `10Gi` for NATS Streaming."
    )


class NATSNative(PodPlacement):
    """NATS Streaming servers managed in the cluster (a retired technology)."""

    replicas: int = Field(3, description="Number of servers, at least 3.")
    auth: str = Field("none", description="`none` or `token`.")
    persistence: Persistence | None = Field(None, description="Volumes; without: none.")
    container_template: BusContainer | None = Field(None, description="Server container.")
    metrics_container_template: BusContainer | None = Field(None, description="Metrics container.")
    max_age: str = Field("72h", description="How long events are kept.")
    max_msgs: int = Field(1_000_000, description="Events kept in a channel; 0: unlimited.")
    max_bytes: str = Field("1GB", description="Bytes kept in a channel; 0: unlimited.")
    max_subs: int = Field(1000, description="Subscriptions of a channel; 0: unlimited.")
    max_payload: str = Field("1MB", description="Greatest size of an event.")
    raft_heartbeat_timeout: str = Field("2s", description="Raft heartbeat timeout.")
    raft_election_timeout: str = Field("2s", description="Raft election timeout.")
    raft_lease_timeout: str = Field("1s", description="Raft lease timeout.")
    raft_commit_timeout: str = Field("100ms", description="Raft commit timeout.")
    anti_affinity: bool = Field(False, description="Accepted; without effect.")


class NATSExotic(Block):
    """NATS Streaming servers that exist already."""

    url: str = Field("", description="Address of the servers.")
    cluster_id: str | None = Field(None, alias="clusterID", description="Name of the cluster.")
    auth: str = Field("none", description="`none` or `token`.")
    access_secret: SecretRef | None = Field(None, description="Secret with the token, as YAML.")


class NATS(Block):
    """NATS Streaming."""

    native: NATSNative | None = Field(None, description="Servers managed in the cluster.")
    exotic: NATSExotic | None = Field(None, description="Servers that exist already.")


class JetStream(PodPlacement):
    """NATS JetStream servers managed in the cluster; standalone: the embedded server."""

    version: str = Field("", description="Version of the server.")
    replicas: int = Field(3, description="Number of servers: 1, or 3 and more.")
    persistence: Persistence | None = Field(None, description="Volumes; without: none.")
    container_template: BusContainer | None = Field(None, description="Server container.")
    reloader_container_template: BusContainer | None = Field(
        None, description="Container that reloads the configuration."
    )
    metrics_container_template: BusContainer | None = Field(None, description="Metrics container.")
    settings: str = Field("", description="Text for the `jetstream` block of the server.")
    start_args: list[str] = Field([], description="Arguments of the server.")
    stream_config: str = Field("", description="Options of the stream, as YAML text.")
    max_payload: str = Field("1MB", description="Greatest size of an event.")


class JetStreamExotic(Block):
    """NATS JetStream servers that exist already."""

    url: str = Field("", description="Addresses of the servers, separated by commas.")
    access_secret: SecretRef | None = Field(
        None, description="Secret with `username` and `password`, as YAML."
    )
    stream_config: str = Field("", description="Options of the stream, as YAML text.")
    tls: TLS | None = Field(None, description="TLS to the servers.")


class ConsumerGroup(Block):
    """How sensors read from Kafka."""

    group_name: str = Field("", description="Group; one for each sensor when empty.")
    oldest: bool = Field(False, description="A new group starts at the oldest event.")
    rebalance_strategy: str = Field("range", description="`range`, `sticky` or `roundrobin`.")


class SASL(Block):
    """A login to Kafka."""

    mechanism: str = Field(
        "PLAIN",
        description="`PLAIN`, `OAUTHBEARER`, `SCRAM-SHA-256`, `SCRAM-SHA-512` or `GSSAPI`.",
    )
    user_secret: SecretRef | None = Field(None, description="Secret with the user's name.")
    password_secret: SecretRef | None = Field(None, description="Secret with the password.")


class Kafka(Block):
    """Kafka brokers that exist already."""

    url: str = Field("", description="Addresses of the brokers, separated by commas.")
    topic: str = Field("", description="Topic; `<namespace>-<name>` when empty.")
    version: str = Field("", description="Version of the protocol.")
    tls: TLS | None = Field(None, description="TLS to the brokers.")
    sasl: SASL | None = Field(None, description="Login.")
    consumer_group: ConsumerGroup | None = Field(None, description="How sensors read.")
    partitioner: str = Field("random", description="`random`, `hash`, `roundrobin` or `manual`.")


class EventBusSpec(Block):
    """The body of an EventBus; one of the members, of several the first that is given."""

    nats: NATS | None = Field(None, description="NATS Streaming (a retired technology).")
    jetstream: JetStream | None = Field(None, description="Managed NATS JetStream.")
    kafka: Kafka | None = Field(None, description="Kafka.")
    jetstream_exotic: JetStreamExotic | None = Field(
        None, description="NATS JetStream that exists already."
    )

    @property
    def driver(self) -> Literal["nats", "jetstream", "kafka"] | None:
        """The protocol to speak (spec: control plane 7.2); None: nothing is given."""
        if self.nats is not None:
            return "nats"
        if self.jetstream is not None:
            return "jetstream"
        if self.kafka is not None:
            return "kafka"
        return None if self.jetstream_exotic is None else "jetstream"
