"""What an EventBus must say, in the words that Argo Events uses."""

from __future__ import annotations

import pytest

from tests.unit.manifests._support import findings, told
from tiphys.manifests.event_bus import EventBusSpec


def event_bus(spec: str) -> list[tuple[str, str, str]]:
    return told(
        findings(
            "apiVersion: argoproj.io/v1alpha1\nkind: EventBus\n"
            f"metadata: {{name: default}}\nspec: {spec}\n"
        )
    )


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        (
            "{}",
            "spec",
            'invalid spec: either "nats", "jetstream", "jetstreamExotic", or "kafka" needs to be '
            "specified",
        ),
        (
            "{nats: {native: {}, exotic: {clusterID: c, url: u}}}",
            "spec.nats",
            '"spec.nats.native" and "spec.nats.exotic" can not be defined together',
        ),
        ("{nats: {native: }}", "spec.nats", 'either "native" or "exotic" must be defined'),
        (
            "{nats: {exotic: {url: u}}}",
            "spec.nats.exotic.clusterID",
            '"spec.nats.exotic.clusterID" is missing',
        ),
        (
            "{nats: {exotic: {clusterID: c}}}",
            "spec.nats.exotic.url",
            '"spec.nats.exotic.url" is missing',
        ),
        (
            "{jetstream: {}}",
            "spec.jetstream.version",
            "invalid spec: a version for jetstream needs to be specified",
        ),
        (
            "{jetstream: {version: v, replicas: 2}}",
            "spec.jetstream.replicas",
            "invalid spec: a jetstream eventbus requires 1 replica or >= 3 replicas",
        ),
        ("{kafka: {}}", "spec.kafka.url", '"spec.kafka.url" is missing'),
        (
            "{jetstreamExotic: {}}",
            "spec.jetstreamExotic.url",
            '"spec.jetstreamExotic.url" is missing',
        ),
        (
            "{nats: {native: {auth: basic}}}",
            "spec.nats.native.auth",
            "there is no way to log in called `basic`; `none` or `token`",
        ),
        (
            "{kafka: {url: u, sasl: {userSecret: {name: a, key: b}}}}",
            "spec.kafka.sasl.passwordSecret",
            "a login to Kafka needs `passwordSecret`",
        ),
        (
            "{kafka: {url: u, tls: {clientKeySecret: {name: a, key: b}}}}",
            "spec.kafka.tls",
            "invalid tls config, both of clientCertSecret and clientKeySecret need to be "
            "configured",
        ),
        (
            "{jetstreamExotic: {url: u, tls: {}}}",
            "spec.jetstreamExotic.tls",
            "invalid tls config, neither of caCertSecret, clientCertSecret and clientKeySecret is "
            "configured",
        ),
        (
            '{jetstream: {version: v, streamConfig: "maxAge: 1h\\n\\tx"}}',
            "spec.jetstream.streamConfig",
            "line 2 of this text is not YAML: a tab cannot indent here",
        ),
        (
            "{jetstream: {version: v, streamConfig: no mapping}}",
            "spec.jetstream.streamConfig",
            "this text must be YAML with `key: value` lines",
        ),
    ],
)
def test_a_bus_that_cannot_work_is_an_error(spec: str, path: str, message: str) -> None:
    assert event_bus(spec) == [("error", path, message)]


@pytest.mark.parametrize(
    "spec",
    [
        "{nats: {native: {}}}",
        "{jetstream: {version: latest}}",
        '{jetstream: {version: latest, replicas: 1, streamConfig: "maxAge: 24h"}}',
        "{kafka: {url: u, tls: {enabled: true}}}",
        "{jetstreamExotic: {url: 'nats://a,nats://b', tls: {caCertSecret: {name: a, key: b}}}}",
    ],
)
def test_minimal_forms_have_no_findings(spec: str) -> None:
    assert event_bus(spec) == []


def test_doubtful_buses_are_warnings() -> None:
    assert [severity for severity, _, _ in event_bus("{jetstream: {version: v, replicas: 4}}")] == [
        "warning"
    ]
    assert event_bus("{jetstream: {version: v}, kafka: {url: u}}") == [
        ("warning", "spec", "several kinds of bus are given; `jetstream` is used")
    ]


@pytest.mark.parametrize(
    ("spec", "driver"),
    [
        ({"nats": {}, "jetstream": {}}, "nats"),
        ({"jetstream": {}, "kafka": {}}, "jetstream"),
        ({"kafka": {}, "jetstreamExotic": {}}, "kafka"),
        ({"jetstreamExotic": {}}, "jetstream"),
        ({}, None),
    ],
)
def test_of_several_kinds_the_first_counts(spec: dict[str, object], driver: str | None) -> None:
    assert EventBusSpec.model_validate(spec).driver == driver
