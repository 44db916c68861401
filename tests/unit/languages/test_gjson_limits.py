"""gjson: untrusted paths and documents end in an error instead of using up time or memory."""

from __future__ import annotations

import pytest

from tiphys.languages import CompileError, LimitExceeded, gjson


def test_a_path_that_is_too_long_is_refused() -> None:
    gjson.compile("a" * gjson.MAX_PATH)
    with pytest.raises(CompileError, match="longer than"):
        gjson.compile("a" * (gjson.MAX_PATH + 1))


@pytest.mark.parametrize(
    "path",
    [
        "@this|" * 2000 + "a",
        "a|" * 5000 + "a",
        "{" * 5000 + "a" + "}" * 5000,
        "[" * 5000 + "a" + "]" * 5000,
        "#(" * 5000 + ")" * 5000,
        "@dig:" * 3000 + "a",
        "*." * 5000 + "a",
    ],
    ids=["modifiers", "pipes", "objects", "arrays", "queries", "digs", "wildcards"],
)
def test_a_path_that_is_nested_too_deeply_is_stopped(path: str) -> None:
    deep = '{"a":' * 6000 + "1" + "}" * 6000
    for document in (deep, gjson.Document(deep), f"[{deep}]", "[" * 6000):
        try:
            found = gjson.get(document, path)
        except LimitExceeded:
            continue
        assert found.raw in ("", "[]", "{}")


def test_deep_pipes_say_what_the_limit_is() -> None:
    with pytest.raises(LimitExceeded, match=f"more than {gjson.MAX_DEPTH} levels"):
        gjson.get("{}", "@this|" * 1000 + "a")


@pytest.mark.parametrize("path", ['@flatten:{"deep":true}', "@pretty"])
def test_modifiers_do_not_follow_a_document_into_any_depth(path: str) -> None:
    with pytest.raises(LimitExceeded):
        gjson.get("[" * 3000 + "]" * 3000, path)


@pytest.mark.parametrize("text", ["[" * 3000 + "]" * 3000, "[" * 3000, '{"a":' * 3000])
def test_values_nested_too_deeply_are_not_decoded(text: str) -> None:
    found = gjson.get(text, "@this")
    with pytest.raises(LimitExceeded):
        found.value()


def test_output_is_limited() -> None:
    doubled = "|".join(["[@this,@this]"] * 60)
    with pytest.raises(LimitExceeded, match=f"more than {gjson.MAX_OUTPUT} characters"):
        gjson.get('["some text"]', doubled)


def test_indentation_counts_as_output() -> None:
    indent = "\\t" * 4000
    rows = "[" + "{}," * 20_000 + '{"a":1}]'
    with pytest.raises(LimitExceeded, match="builds more"):
        gjson.get(rows, f'@pretty:{{"indent":"{indent}"}}')


def test_reading_again_and_again_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tiphys.languages.gjson._budget.MAX_READ", 100_000)
    nested = '{"a":' * 60 + "1" + "}" * 60
    with pytest.raises(LimitExceeded, match="reads more"):
        gjson.get(nested, "@dig:@dig:@dig:@dig:b")


def test_a_wildcard_with_many_stars_does_not_try_all_combinations() -> None:
    text = '{"' + "a" * 20_000 + '":1}'
    assert not gjson.get(text, "*a" * 500 + "*b").exists
    assert gjson.get(text, "*a" * 500 + "*").exists
    assert not gjson.get(f"[{text}]", '#(@keys.0%"' + "*a" * 500 + '*b")').exists


def test_a_long_wildcard_in_a_long_text_is_stopped() -> None:
    text = '{"' + "a" * 1_000_000 + '":1}'
    for path in ("*" + "?" * 8000 + "b*", "@keys.#(%*" + "?" * 8000 + "b*)"):
        with pytest.raises(LimitExceeded, match="reads more"):
            gjson.get(text, path)


def test_numbers_of_any_length_are_read() -> None:
    digits = "9" * 10_000
    for document in (f'{{"a":{digits}}}', gjson.Document(f'{{"a":{digits}}}')):
        found = gjson.get(document, "a")
        assert found.string() == digits
        assert found.integer() == (10**10_000 - 1 + 2**63) % 2**64 - 2**63
    assert not gjson.get("[1]", digits).exists
