"""Wrong values in plain words."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field, HttpUrl

from tiphys.manifests.common import Block, Duration
from tiphys.manifests.validation import fit


class Inner(Block):
    size: int = Field(0, ge=1, le=9)
    needed: str = Field()


class Example(Block):
    text: str = ""
    mode: Literal["", "fast", "slow"] = ""
    number: float = Field(0.0, strict=True)
    switch: bool = False
    pause: Duration = 1.0
    url: HttpUrl | None = None
    several: str | list[str] = ""
    items: list[Inner] = Field([], max_length=2)
    inner: Inner | None = None
    labels: dict[str, str] = Field({})
    short: str = Field("", max_length=3, pattern="^a")


@pytest.mark.parametrize(
    ("data", "path", "message", "hint"),
    [
        (
            {"text": 5},
            ("text",),
            "`text` must be a text, but is the number `5`",
            "put it in quotes",
        ),
        (
            {"text": True},
            ("text",),
            "`text` must be a text, but is the boolean `true`",
            "put it in quotes",
        ),
        ({"text": {}}, ("text",), "`text` must be a text, but is a mapping", ""),
        (
            {"mode": "fsat"},
            ("mode",),
            "`mode` must be one of `fast`, `slow`, but is the text `fsat`",
            "did you mean `fast`?",
        ),
        (
            {"number": "2"},
            ("number",),
            "`number` must be a number, but is the text `2`",
            "write it without quotes",
        ),
        (
            {"switch": "true"},
            ("switch",),
            "`switch` must be `true` or `false`, but is the text `true`",
            "write it without quotes",
        ),
        (
            {"pause": "10"},
            ("pause",),
            '`pause` is not valid: time: missing unit in duration "10"; a duration is a text such '
            'as "1m30s"',
            "",
        ),
        ({"url": "no"}, ("url",), "`url` must be a URL, but is the text `no`", ""),
        (
            {"several": 5},
            ("several",),
            "`several` must be a text or a list, but is the number `5`",
            "put it in quotes",
        ),
        (
            {"items": [{"needed": "a"}, {"needed": "b", "size": 10}]},
            ("items", 1, "size"),
            "`size` must be at most 9, but is the number `10`",
            "",
        ),
        ({"items": {}}, ("items",), "`items` must be a list, but is a mapping", ""),
        ({"inner": {"size": 1}}, ("inner", "needed"), "`needed` is missing", ""),
        (
            {"labels": {"a.b": 1}},
            ("labels", "a.b"),
            '`["a.b"]` must be a text, but is the number `1`',
            "put it in quotes",
        ),
        (
            {"several": [None]},
            ("several", 0),
            "`several[0]` must be a text, but is empty",
            "leave the key out, or give it a value",
        ),
        (
            {"short": "abcd\nefg"},
            ("short",),
            "`short` must be a text of at most 3 characters, but is the text `abcd…`",
            "",
        ),
        (
            {"short": "b"},
            ("short",),
            "`short` must be a text that matches `^a`, but is the text `b`",
            "",
        ),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(
    data: dict[str, Any], path: tuple[str | int, ...], message: str, hint: str
) -> None:
    (found,) = fit(Example, data).mismatches

    assert (found.path, found.message, found.hint) == (path, message, hint)


def test_no_message_is_pydantics() -> None:
    data = {"text": 1, "mode": 2, "number": [], "switch": 7, "items": 3, "inner": "x", "url": 1}

    for found in fit(Example, data).mismatches:
        assert "Input" not in found.message
        assert "pydantic" not in found.message


def test_what_fits_is_kept() -> None:
    fitted = fit(
        Example,
        {"text": "good", "number": "bad", "items": [{"needed": "a"}, "bad", {"needed": "c"}]},
    )

    assert fitted.model is not None
    assert fitted.model.text == "good"
    assert len(fitted.mismatches) == 2


def test_places_of_list_items_do_not_move_when_one_is_taken_out() -> None:
    fitted = fit(Example, {"items": ["bad", {"needed": 5}]})

    assert [found.path for found in fitted.mismatches] == [("items", 0), ("items", 1, "needed")]


def test_nothing_is_left_of_data_that_is_no_mapping() -> None:
    fitted = fit(Example, "text")

    assert fitted.model is None
    assert [found.message for found in fitted.mismatches] == [
        "this must be a mapping, but is the text `text`"
    ]


def test_secret_values_are_not_shown() -> None:
    (found,) = fit(Example, {"mode": "geheim"}, secret=True).mismatches

    assert "geheim" not in found.message
