"""Paths, path templates and headers, as Go's server treats them."""

from __future__ import annotations

import pytest

from tiphys.errors import ManifestError
from tiphys.ingest.headers import MASK, mask_authorization, request_headers
from tiphys.ingest.routes import Routes, clean_path, compile_template


@pytest.mark.parametrize(
    ("path", "cleaned"),
    [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("/a", "/a"),
        ("/a/", "/a/"),
        ("//a//b", "/a/b"),
        ("/a/./b/../c/", "/a/c/"),
        ("/../a", "/a"),
        ("a", "/a"),
    ],
)
def test_a_path_has_one_canonical_form(path: str, cleaned: str) -> None:
    assert clean_path(path) == cleaned


@pytest.mark.parametrize(
    ("template", "path", "matches"),
    [
        ("/a/{name}", "/a/b", True),
        ("/a/{name}", "/a/", False),
        ("/a/{name}", "/a/b/c", False),
        ("/a/{name}/x", "/a/b/x", True),
        ("/a/{id:[0-9]+}", "/a/12", True),
        ("/a/{id:[0-9]+}", "/a/1x", False),
        ("/a/{id:[0-9]{3}}.json", "/a/123.json", True),
        ("/a/{id:[0-9]{3}}.json", "/a/123xjson", False),
        ("/{a}-{b}", "/x-y", True),
        ("/{rest:.*}", "/a/b/c", True),
        ("/{x:a|b}/c", "/b/c", True),
        ("/{x:a|b}/c", "/a", False),
    ],
)
def test_a_template_matches_whole_paths(template: str, path: str, matches: bool) -> None:
    assert bool(compile_template(template).fullmatch(path)) is matches


@pytest.mark.parametrize("template", ["/{a", "/a}", "/{}", "/{a:}", "/{a:(}", "/}{"])
def test_a_broken_template_is_refused_by_name(template: str) -> None:
    with pytest.raises(ManifestError) as caught:
        compile_template(template)

    assert repr(template) in str(caught.value)


def test_templates_are_tried_in_the_order_in_which_they_were_added() -> None:
    routes: Routes[str] = Routes()
    routes.add("/{any}", "any")
    routes.add("/{digits:[0-9]+}", "digits")
    assert routes.match("/1") == "any"
    routes.remove("/{any}")

    assert (routes.match("/1"), routes.match("/a"), len(routes)) == ("digits", None, 1)


def test_header_names_are_canonical_and_values_keep_their_order() -> None:
    raw = [
        (b"host", b"h"),
        (b"x-gitHub-event", b"push"),
        (b"accept", b"a"),
        (b"transfer-encoding", b"chunked"),
        (b"accept", b"b"),
        (b"content-length", b"2"),
        (b"x-text", "é".encode()),
        (b"x-latin", b"\xe9"),
    ]

    assert request_headers(raw) == {
        "X-Github-Event": ["push"],
        "Accept": ["a", "b"],
        "Content-Length": ["2"],
        "X-Text": ["é"],
        "X-Latin": ["\ufffd"],
    }


def test_whatever_authorizes_the_sender_is_masked() -> None:
    headers = {"Authorization": ["Bearer a", "Basic b"], "Accept": ["x"]}
    mask_authorization(headers)

    assert headers == {"Authorization": [MASK], "Accept": ["x"]}
