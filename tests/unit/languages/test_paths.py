"""Which language a path is written in."""

from __future__ import annotations

import pytest

from tiphys.languages import jsonpath, paths


@pytest.mark.parametrize(
    ("path", "is_jsonpath"),
    [
        ("$", True),
        ("$.a", True),
        ("$[0]", True),
        ("$..a", True),
        ("a", False),
        ("$a", False),
        (r"\$.a", False),
        ("", False),
        ("@this", False),
    ],
)
def test_a_dollar_before_a_dot_or_bracket_makes_a_jsonpath(path: str, is_jsonpath: bool) -> None:
    assert isinstance(paths.compile(path), jsonpath.Path) is is_jsonpath
    assert paths.compile(path).text == path


def test_an_escaped_dollar_is_a_key() -> None:
    assert paths.compile(r"\$.a").get('{"$":{"a":1}}').raw == "1"
    assert paths.compile("$ref").get('{"$ref":"x"}').string() == "x"
