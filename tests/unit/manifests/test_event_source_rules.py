"""What an EventSource must say."""

from __future__ import annotations

import pytest

from tests.unit.manifests._support import findings, told


def event_source(spec: str, name: str = "hooks") -> list[tuple[str, str, str]]:
    return told(
        findings(
            "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\n"
            f"metadata: {{name: {name}}}\nspec: {spec}\n"
        )
    )


def test_a_good_one_has_no_findings() -> None:
    assert event_source("{webhook: {push: {endpoint: /push, port: '12000', method: POST}}}") == []


def test_event_names_are_unique_across_types() -> None:
    found = event_source("{webhook: {a: {endpoint: /a}}, github: {a: {}}}")

    assert ("error", "spec.github.a", 'more than one "a" found in the spec') in found


def test_types_that_scale_and_types_with_one_leader_do_not_mix() -> None:
    message = (
        "event sources with rolling update and recreate update strategy can not be put together"
    )

    assert ("error", "spec", message) in event_source(
        "{webhook: {a: {endpoint: /a}}, calendar: {b: {}}}"
    )
    assert ("error", "spec", message) in event_source(
        "{webhook: {a: {endpoint: /a}}, clock: {b: {every: 5}}}"
    )
    assert event_source("{webhook: {a: {endpoint: /a}}, calendar: {}}")[0][0] != "error"


def test_options_are_checked_by_their_component() -> None:
    assert event_source("{webhook: {a: {port: 12000}, b: {}, c: 5, d: }, clock: {}}") == [
        ("error", "spec.webhook.a.port", "`port` must be a text, but is the number `12000`"),
        ("error", "spec.webhook.b", "endpoint can't be empty"),
        ("error", "spec.webhook.c", "the options of an event must be a mapping"),
        ("error", "spec.webhook.d", "endpoint can't be empty"),
        ("warning", "spec.clock", "`clock` has no events"),
    ]


def test_an_event_type_is_a_mapping() -> None:
    assert event_source("{webhook: [{port: '1'}]}") == [
        ("error", "spec.webhook", "`webhook` must be a mapping of event names to their options")
    ]


def test_a_missing_option_is_named_beside_the_misspelt_one() -> None:
    assert event_source("{clock: {a: {evry: 5}}}") == [
        ("error", "spec.clock.a.every", "`every` is missing"),
        ("error", "spec.clock.a.evry", "unknown key `evry`; did you mean `every`?"),
    ]


def test_types_that_only_argo_events_runs_are_notes_and_unknown_ones_errors() -> None:
    assert event_source("{gerrit: {a: {}}, webhok: {}}") == [
        ("error", "spec.webhok", "unknown key `webhok`; did you mean `webhook`?"),
        (
            "note",
            "spec.gerrit",
            "`gerrit` runs in Argo Events; this version of Tiphys does not run it yet",
        ),
    ]


def test_a_missing_module_is_a_warning() -> None:
    ((severity, path, message),) = event_source("{kafka: {a: {}}}")

    assert (severity, path) == ("warning", "spec.kafka.a")
    assert "pip install 'tiphys[aiokafka]'" in message


def test_event_names_that_the_bus_cannot_carry_are_errors() -> None:
    assert event_source("{webhook: {a.b: {endpoint: /a}}}") == [
        ("error", 'spec.webhook["a.b"]', "the event name `a.b` holds `.`, `*`, `>` or blanks")
    ]


def test_names_that_kubernetes_refuses_are_errors() -> None:
    assert event_source("{webhook: {a: {endpoint: /a}}}", "My_Hooks")[0] == (
        "error",
        "metadata.name",
        "the name `My_Hooks` is not possible in Kubernetes",
    )
    assert event_source("{webhook: {a: {endpoint: /a}}}", "a.b")[0][2] == (
        "the name `a.b` holds a `.`, which the bus does not allow"
    )


def test_a_filter_expression_must_compile() -> None:
    for kind in ("webhook: {a: {endpoint: /a,", "gerrit: {a: {"):
        found = event_source(f"{{{kind} filter: {{expression: 'a =='}}}}}}}}")

        errors = [(path, message) for severity, path, message in found if severity == "error"]
        assert len(errors) == 1
        assert errors[0][0].endswith(".a.filter.expression")
        assert errors[0][1].startswith("this expression does not compile: ")


def test_filters_that_are_no_expressions_are_left_alone() -> None:
    found = event_source("{minio: {a: {filter: {prefix: x, expression: 'a =='}}}}")

    assert [severity for severity, _, _ in found] == ["note"]


def test_an_endpoint_belongs_to_one_event() -> None:
    found = event_source(
        "{webhook: {a: {endpoint: /x, port: '1'}, b: {endpoint: /x, port: '2'}, "
        "c: {endpoint: /x, port: '1'}}}"
    )

    assert found == [
        ("error", "spec.webhook.c", "the endpoint /x on port 1 belongs to `webhook.a`")
    ]


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("/a", ""),
        ("/", ""),
        ("/a/", ""),
        ("/{name}/b", ""),
        ("/a/{rest:[^?]{1,3}//[.]{2}}", ""),
        ("x", "the path of a request begins with a slash"),
        ("/a?b=1", "a path ends before `?` and `#`"),
        ("/a#b", "a path ends before `?` and `#`"),
        ("/a%20b", "paths are compared with their escapes resolved"),
        ("/a/../b", "senders are redirected to `/b`"),
        ("/a//b/", "senders are redirected to `/a/b/`"),
        ("//a", "senders are redirected to `/a`"),
    ],
)
def test_an_endpoint_that_no_request_reaches_is_pointed_out(endpoint: str, reason: str) -> None:
    found = event_source(f"{{webhook: {{a: {{endpoint: '{endpoint}', port: '1'}}}}}}")

    message = f"no request gets here, because {reason}"
    assert found == ([("error", "spec.webhook.a.endpoint", message)] if reason else [])


def test_an_endpoint_that_no_request_reaches_runs_all_the_same() -> None:
    text = (
        "apiVersion: argoproj.io/v1alpha1\nkind: EventSource\nmetadata: {name: hooks}\n"
        "spec: {webhook: {a: {endpoint: x, port: '1'}}}\n"
    )

    assert [finding.severity for finding in findings(text, strict=False)] == ["warning"]


@pytest.mark.parametrize("half", ["serverCertSecret", "serverKeySecret"])
def test_half_a_certificate_is_pointed_out(half: str) -> None:
    (found,) = event_source(
        f"{{webhook: {{a: {{endpoint: /x, port: '1', {half}: {{name: s, key: k}}}}}}}}"
    )
    other = "serverKeySecret" if half == "serverCertSecret" else "serverCertSecret"

    assert found == (
        "warning",
        f"spec.webhook.a.{other}",
        f"`{other}` is missing, so the endpoint speaks plain HTTP",
    )


def test_what_works_or_not_without_being_refused_is_said_by_the_options_themselves() -> None:
    assert event_source("{hub: {a: {webhook: {endpoint: /x, port: '1', url: x}}}}") == [
        ("error", "spec.hub.a.place", "`place` is nowhere"),
        ("warning", "spec.hub.a", "nobody needs this"),
        ("warning", "spec.hub.a.webhook.url", "a URL begins with its scheme, such as `https://`"),
    ]


def test_a_filter_without_an_expression_is_pointed_out() -> None:
    message = "a `filter` without an expression drops every event"

    assert event_source("{webhook: {a: {endpoint: /x, port: '1', filter: {}}}}") == [
        ("warning", "spec.webhook.a.filter.expression", message)
    ]


def test_the_lengths_of_extensions_are_texts_longer_than_nothing() -> None:
    found = event_source(
        "{webhook: {a: {endpoint: /x, port: '1', expectEvery: 30, "
        "rateLimit: {requests: 5, period: 0s}}}}"
    )

    assert [(path, message) for _, path, message in found] == [
        ("spec.webhook.a.rateLimit.period", "`period` is not valid: must be longer than 0"),
        (
            "spec.webhook.a.expectEvery",
            "`expectEvery` is not valid: a number has no unit; write a duration such as `30s`",
        ),
    ]
