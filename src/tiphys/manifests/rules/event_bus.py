"""What an EventBus must say (spec: control plane 7.1)."""

from __future__ import annotations

from tiphys.manifests import documents
from tiphys.manifests.common import TLS
from tiphys.manifests.event_bus import NATS, EventBusSpec, JetStream, Kafka
from tiphys.manifests.rules._report import Scope


def check(scope: Scope, spec: EventBusSpec) -> None:
    """Report what is wrong with the body of an EventBus."""
    kinds = {
        "nats": spec.nats,
        "jetstream": spec.jetstream,
        "kafka": spec.kafka,
        "jetstreamExotic": spec.jetstream_exotic,
    }
    given = [name for name, kind in kinds.items() if kind is not None]
    if not given:
        scope.refuse(
            'invalid spec: either "nats", "jetstream", "jetstreamExotic", or "kafka" needs to be '
            "specified"
        )
    if len(given) > 1:
        scope.warn("event-bus", f"several kinds of bus are given; `{given[0]}` is used")
    if spec.nats is not None:
        _check_nats(scope.at("nats"), spec.nats)
    if spec.jetstream is not None:
        _check_jetstream(scope.at("jetstream"), spec.jetstream)
    if spec.kafka is not None:
        _check_kafka(scope.at("kafka"), spec.kafka)
    if (exotic := spec.jetstream_exotic) is not None:
        at = scope.at("jetstreamExotic")
        if not exotic.url:
            at.at("url").refuse('"spec.jetstreamExotic.url" is missing')
        _check_stream(at.at("streamConfig"), exotic.stream_config)
        _check_tls(at.at("tls"), exotic.tls)


def _check_nats(scope: Scope, nats: NATS) -> None:
    if nats.native is not None and nats.exotic is not None:
        scope.refuse('"spec.nats.native" and "spec.nats.exotic" can not be defined together')
    if nats.native is None and nats.exotic is None:
        scope.refuse('either "native" or "exotic" must be defined')
    if (exotic := nats.exotic) is not None:
        if exotic.cluster_id is None:
            scope.at("exotic", "clusterID").refuse('"spec.nats.exotic.clusterID" is missing')
        if not exotic.url:
            scope.at("exotic", "url").refuse('"spec.nats.exotic.url" is missing')
    for name, server in (("native", nats.native), ("exotic", nats.exotic)):
        if server is not None and server.auth not in ("", "none", "token"):
            scope.at(name, "auth").broken(
                "event-bus", f"there is no way to log in called `{server.auth}`; `none` or `token`"
            )


def _check_jetstream(scope: Scope, jetstream: JetStream) -> None:
    if not jetstream.version:
        scope.at("version").refuse("invalid spec: a version for jetstream needs to be specified")
    if jetstream.replicas == 2 or jetstream.replicas <= 0:
        scope.at("replicas").refuse(
            "invalid spec: a jetstream eventbus requires 1 replica or >= 3 replicas"
        )
    elif jetstream.replicas % 2 == 0:
        scope.at("replicas").warn(
            "event-bus",
            f"{jetstream.replicas} servers survive no more failures than {jetstream.replicas - 1}",
            hint="use an odd number",
        )
    _check_stream(scope.at("streamConfig"), jetstream.stream_config)


def _check_kafka(scope: Scope, kafka: Kafka) -> None:
    if not kafka.url:
        scope.at("url").refuse('"spec.kafka.url" is missing')
    _check_tls(scope.at("tls"), kafka.tls)
    if kafka.sasl is not None:
        for key, ref in (
            ("userSecret", kafka.sasl.user_secret),
            ("passwordSecret", kafka.sasl.password_secret),
        ):
            if ref is None:
                scope.at("sasl", key).broken("event-bus", f"a login to Kafka needs `{key}`")


def _check_stream(scope: Scope, text: str) -> None:
    """The options of the stream are YAML inside a text."""
    for document in documents.read(text):
        for problem in document.problems:
            scope.broken(
                "event-bus",
                f"line {problem.place.line} of this text is not YAML: {problem.message}",
                hint=problem.hint,
            )
        if not document.problems and not isinstance(document.data, dict):
            scope.broken("event-bus", "this text must be YAML with `key: value` lines")


def _check_tls(scope: Scope, tls: TLS | None) -> None:
    """The combinations that no client can work with (spec: control plane 8.6.3)."""
    if tls is None or tls.insecure_skip_verify or tls.enabled:
        return
    pair = (tls.client_cert_secret, tls.client_key_secret)
    if tls.ca_cert_secret is None and pair == (None, None):
        scope.broken(
            "event-bus",
            "invalid tls config, neither of caCertSecret, clientCertSecret and clientKeySecret is "
            "configured",
            hint="`enabled: true` trusts the roots of the system",
        )
    elif (pair[0] is None) != (pair[1] is None):
        scope.broken(
            "event-bus",
            "invalid tls config, both of clientCertSecret and clientKeySecret need to be "
            "configured",
        )
