"""What several sources share: words for failures, rules."""

from __future__ import annotations

import errno
import ssl
from typing import Any

import pytest

from tiphys.manifests.common import TLS, BasicAuth
from tiphys.sources._shared.failures import reason
from tiphys.sources._shared.rules import basic_auth_problems, missing, tls_problems

SECRET = {"name": "a", "key": "b"}


def test_a_reason_is_the_cause_and_not_what_was_wrapped_around_it() -> None:
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)")
    wrapped = RuntimeError("could not connect")
    wrapped.__cause__ = refused
    certificate = ConnectionError(1, "certificate")
    certificate.__cause__ = ssl.SSLError(1, "certificate verify failed")

    assert reason(wrapped) == "Connection refused"
    assert reason(certificate) == "certificate verify failed"
    assert reason(ConnectionError(320, "CONNECTION_FORCED")) == "CONNECTION_FORCED"
    assert reason(TimeoutError()) == "no answer in time"
    assert reason(ValueError("odd")) == "odd"
    assert reason(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    ("block", "problems"),
    [
        ({}, ["`tls` says nothing; `enabled: true` trusts the roots of the system"]),
        ({"enabled": True}, []),
        ({"caCertSecret": SECRET}, []),
        ({"clientCertSecret": SECRET, "clientKeySecret": SECRET}, []),
        (
            {"enabled": True, "clientKeySecret": SECRET},
            ["`tls`: `clientCertSecret` and `clientKeySecret` must come together"],
        ),
        ({"insecureSkipVerify": True, "clientKeySecret": SECRET}, []),
    ],
)
def test_the_combinations_that_argo_events_refuses_are_named(
    block: dict[str, Any], problems: list[str]
) -> None:
    assert tls_problems(TLS.model_validate(block)) == problems


def test_what_is_missing_is_named() -> None:
    assert tls_problems(None) == basic_auth_problems(None) == []
    assert missing(url="", topic="a", clientId=None) == [
        "`url` is missing",
        "`clientId` is missing",
    ]
    assert basic_auth_problems(BasicAuth.model_validate({"username": SECRET})) == [
        "`auth.password` is missing"
    ]
