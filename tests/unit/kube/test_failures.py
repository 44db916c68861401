"""Answers as errors, paths, and plurals."""

from __future__ import annotations

import json

import pytest

from tiphys.errors import (
    AlreadyExists,
    ClusterUnavailable,
    Forbidden,
    Gone,
    Invalid,
    KubernetesError,
    NotFound,
    TooManyRequests,
    UpdateConflict,
)
from tiphys.kube import CONFIG_MAPS, NAMESPACES, PODS, Resource
from tiphys.kube._failures import Target, failure
from tiphys.kube._resources import guess

WORKFLOWS = Resource("argoproj.io", "v1alpha1", "workflows", "Workflow")
TARGET = Target("create", WORKFLOWS, "ci")


def status(code: int, reason: str = "", message: str = "", **details: object) -> bytes:
    return json.dumps(
        {"kind": "Status", "code": code, "reason": reason, "message": message, "details": details}
    ).encode()


def test_a_version_that_a_restored_server_does_not_know_yet_is_gone() -> None:
    body = status(504, "Timeout", causes=[{"reason": "ResourceVersionTooLarge"}])

    assert type(failure(504, body, {}, TARGET)) is Gone


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", KubernetesError),
        (401, "Unauthorized", KubernetesError),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", UpdateConflict),
        (410, "Expired", Gone),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", TooManyRequests),
        (500, "InternalError", KubernetesError),
        (503, "ServiceUnavailable", ClusterUnavailable),
        (504, "Timeout", ClusterUnavailable),
    ],
)
def test_an_answer_has_its_error(code: int, reason: str, kind: type[KubernetesError]) -> None:
    error = failure(code, status(code, reason, "it is so", name="x"), {}, TARGET)

    assert type(error) is kind
    assert str(error) == "cannot create workflows.argoproj.io in namespace ci: it is so"
    assert (error.status, error.reason, error.details) == (code, reason, {"name": "x"})


def test_an_answer_of_something_else_is_shown() -> None:
    error = failure(502, b"<h1>Bad gateway</h1>", {}, TARGET)

    assert type(error) is ClusterUnavailable
    assert "HTTP status 502: <h1>Bad gateway</h1>" in str(error)


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [({"Retry-After": "3"}, {}, 3.0), ({}, {"retryAfterSeconds": 2}, 2.0), ({}, {}, None)],
)
def test_the_moment_to_try_again_is_kept(
    headers: dict[str, str], details: dict[str, object], seconds: float | None
) -> None:
    error = failure(429, status(429, "TooManyRequests", "slowly", **details), headers, TARGET)

    assert error.retry_after == seconds


def test_a_missing_permission_comes_with_the_role_that_gives_it() -> None:
    said = 'workflows.argoproj.io is forbidden: User "u" cannot create resource "workflows" in ...'

    error = failure(403, status(403, "Forbidden", said), {}, TARGET)

    assert str(error).splitlines()[1:] == [
        "this would allow it, bound to that user:",
        "apiVersion: rbac.authorization.k8s.io/v1",
        "kind: Role",
        "metadata:",
        "  name: tiphys",
        "  namespace: ci",
        "rules:",
        '- apiGroups: ["argoproj.io"]',
        '  resources: ["workflows"]',
        '  verbs: ["create"]',
    ]


def test_a_permission_for_the_cluster_needs_a_cluster_role() -> None:
    said = 'namespaces is forbidden: User "u" cannot list resource "namespaces" in ...'

    error = failure(403, status(403, "Forbidden", said), {}, Target("list", NAMESPACES))

    assert "kind: ClusterRole\nmetadata:\n  name: tiphys\nrules:" in str(error)


def test_no_role_helps_against_admission() -> None:
    error = failure(403, status(403, "Forbidden", "exceeded quota"), {}, TARGET)

    assert str(error) == "cannot create workflows.argoproj.io in namespace ci: exceeded quota"


def test_paths_lead_to_objects() -> None:
    assert PODS.path(None) == "/api/v1/pods"
    assert PODS.path("a", "b", "log") == "/api/v1/namespaces/a/pods/b/log"
    assert NAMESPACES.path("ignored", "b") == "/api/v1/namespaces/b"
    assert WORKFLOWS.path("a") == "/apis/argoproj.io/v1alpha1/namespaces/a/workflows"


@pytest.mark.parametrize("name", [".", "..", "../secrets/x", "a/b", "a%2Fb"])
def test_names_cannot_lead_elsewhere(name: str) -> None:
    with pytest.raises(Invalid, match="cannot be the name of an object"):
        CONFIG_MAPS.path("a", name)
    with pytest.raises(Invalid, match="cannot be the namespace of an object"):
        CONFIG_MAPS.path(name, "a")


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        ("Pod", "pods"), ("Ingress", "ingresses"), ("NetworkPolicy", "networkpolicies"),
        ("Gateway", "gateways"), ("Shelf", "shelves"), ("Knife", "knives"), ("Box", "boxes"),
        ("EventBus", "eventbus"), ("Batch", "batches"),
    ],
)  # fmt: skip
def test_plurals_are_guessed(kind: str, plural: str) -> None:
    assert guess("x.example/v1", kind).plural == plural


def test_the_best_known_cluster_kinds_are_known() -> None:
    assert not guess("v1", "Namespace").namespaced
    assert guess("v1", "Pod").namespaced
