"""Templates: laws that hold for all data, and robustness against any template."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.languages._templates import printed, rendered
from tiphys.languages import LanguageError, template
from tiphys.languages.template.builtins import BUILTINS

floats = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text()
documents = st.recursive(
    st.none() | st.booleans() | floats | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
SLOW = {
    *("bcrypt", "htpasswd", "derivePassword", "genPrivateKey"),
    *("genCA", "genSelfSignedCert", "genSignedCert"),
}
FUNCTIONS = sorted((set(template.FUNCTIONS) | set(BUILTINS)) - SLOW - {"getHostByName"})


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_actions_is_its_own_result(text: str) -> None:
    assert rendered(text) == text


@given(texts)
def test_a_quoted_text_is_a_literal_of_the_language(text: str) -> None:
    assert printed(printed("quote .Input", text)) == text
    assert printed(printed('printf "%+q" .Input', text)) == text


@given(documents)
def test_json_comes_back(value: Any) -> None:
    assert json.loads(printed("toJson .Input", value), parse_int=float) == value
    assert json.loads(printed("toPrettyJson .Input", value), parse_int=float) == value
    assert json.loads(printed("toRawJson .Input", value), parse_int=float) == value
    assert printed("fromJson .Input | toJson", json.dumps(value)) == printed("toJson .Input", value)


@given(floats)
def test_printed_numbers_read_back_as_the_same(value: float) -> None:
    for expression in (".Input", "toJson .Input", 'printf "%g" .Input', 'printf "%x" .Input'):
        text = printed(expression, value)
        read = float.fromhex(text) if "x" in expression else float(text)
        assert read == value
        assert math.copysign(1, read) == math.copysign(1, value)


@given(floats, st.integers(0, 20), st.sampled_from("eEfF"))
def test_fixed_precision_rounds_as_python_does(value: float, digits: int, verb: str) -> None:
    assert printed(f'printf "%.{digits}{verb}" .Input', value) == f"{value:.{digits}{verb}}"


@given(st.integers(-(2**63), 2**63 - 1), st.integers(0, 30))
def test_integers_are_padded_as_python_does(value: int, width: int) -> None:
    arguments = f"(int64 {value})"
    assert printed(f'printf "%{width}d" {arguments}') == f"{value:{width}d}"
    assert printed(f'printf "%-{width}x|" {arguments}') == f"{value:<{width}x}|"
    assert printed(f'printf "%+0{width}d" {arguments}') == f"{value:+0{width}d}"


@given(documents)
def test_if_agrees_with_not_and_with_default(value: Any) -> None:
    branch = rendered("{{ if .Input }}yes{{ else }}no{{ end }}", value)

    assert branch == ("no" if value in (None, False, 0.0, "", [], {}) else "yes")
    assert printed("not .Input", value) == ("false" if branch == "yes" else "true")
    assert printed("empty .Input", value) == ("false" if branch == "yes" else "true")
    assert rendered("{{ with .Input }}yes{{ else }}no{{ end }}", value) == branch


@given(st.lists(documents, max_size=5))
def test_a_loop_visits_every_item_in_order(values: list[Any]) -> None:
    loop = "{{ range $i, $x := .Input }}{{ $i }}:{{ toJson $x }}\n{{ else }}none{{ end }}"
    expected = "".join(f"{i}:{printed('toJson .Input', x)}\n" for i, x in enumerate(values))

    assert rendered(loop, values) == (expected or "none")
    assert rendered("{{ range .Input }}x{{ end }}", values) == "x" * len(values)


@given(st.dictionaries(texts, floats, max_size=5))
def test_a_loop_over_a_map_is_sorted_by_key(values: dict[str, float]) -> None:
    loop = "{{ range $k, $v := .Input }}{{ toJson $k }}{{ end }}"

    assert rendered(loop, values) == "".join(
        printed("toJson .Input", key) for key in sorted(values)
    )


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters=","))))
def test_joined_texts_can_be_split(values: list[str]) -> None:
    split = json.loads(printed('join "," .Input | splitList "," | toJson', values))

    assert split == (values or [""])


@given(texts)
def test_encoded_texts_can_be_decoded(text: str) -> None:
    assert printed("b64enc .Input | b64dec", text) == text
    assert printed("b32enc .Input | b32dec", text) == text


@given(st.text(st.characters(codec="ascii")), st.integers(-5, 20))
def test_ascii_is_cut_as_python_does(text: str, size: int) -> None:
    expected = text[:size] if size >= 0 else text[size:] if len(text) > -size else text

    assert printed(f"trunc {size} .Input", text) == expected


@given(texts, st.integers(0, 20))
def test_two_parts_of_a_text_make_the_whole(text: str, size: int) -> None:
    size = min(size, len(text.encode()))

    assert printed(f"print (substr 0 {size} .Input) (substr {size} -1 .Input)", text) == text


@given(st.lists(texts, max_size=6))
def test_texts_are_sorted_by_their_bytes(values: list[str]) -> None:
    expected = sorted(values, key=str.encode)

    assert json.loads(printed("sortAlpha .Input | toJson", values)) == expected


@given(floats, floats)
def test_comparisons_are_consistent(left: float, right: float) -> None:
    def holds(name: str) -> bool:
        return printed(f"{name} .Input.l .Input.r", {"l": left, "r": right}) == "true"

    assert holds("lt") == (left < right)
    assert holds("le") == (left <= right)
    assert holds("gt") != holds("le")
    assert holds("ge") != holds("lt")
    assert holds("eq") != holds("ne")


@given(st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 12, 30)))
def test_dates_come_back_from_their_text(moment: datetime.datetime) -> None:
    text = moment.isoformat(timespec="microseconds") + "Z"
    layout = "2006-01-02T15:04:05.000000Z07:00"

    assert printed(f'dateInZone "{layout}" (toDate "{layout}" .Input) "UTC"', text) == text


@given(st.integers(-(10**11), 10**11))
def test_integer_arithmetic_agrees_with_itself(number: int) -> None:
    expression = "add (mul (div .Input 7) 7) (mod .Input 7)"

    assert printed(expression, number) == str(number)


TOKENS = (
    *("{{", "}}", "{{-", "-}}", "{{/*", "*/}}", ".", "..", ".a", ".a.b", "$", "$x", ":=", "="),
    *("|", "(", ")", ",", "if", "else", "end", "range", "with", "define", "template", "block"),
    *("break", "continue", "nil", "true", '"T"', "`raw`", '"un', "'a'", "1", "-1", "0x1", "1e"),
    *("+", "-", "print", "eq", "and", "or", "not", "index", "list", "dict", "{", "}", "{{end}}"),
    *("{{else}}", "{{if.a}}", "{{range.l}}", "{{with.a}}", "{{$x:=1}}", "{{$x}}", "{{.}}"),
)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(TOKENS) | st.text(max_size=2), max_size=14), st.booleans())
def test_any_template_compiles_or_is_an_error_of_the_language(
    parts: list[str], spaced: bool
) -> None:
    text = (" " if spaced else "").join(parts)
    try:
        assert isinstance(template.compile(text).render({"a": "x", "l": [1.0, None]}), str)
    except LanguageError as error:
        assert str(error)


ARGUMENTS = (
    *("nil", "true", "0", "-1", "3", "1.5", "1i", "9223372036854775807", "now", "."),
    *('""', '"x"', '"1.2.3"', '"é\\xff"', '"%d%v"', '"[a-z]+"', '"2006-01-02"', '"{}"'),
    *(".Input", ".Input.list", ".Input.map", ".Input.null", ".Nosuch", '(list 1 nil "b")'),
    *("(int64 5)", '(splitList "," "b,a")', "(rest (list))", '(split "," "a,b")', "(until 3)"),
    *("(chunk 1 (list 1))", '(semver "1.2.3")', "(now.Sub now)", '(index "a" 0)', "now.Month"),
    *('(float64 "inf")', '(float64 "nan")', '(dict "a" 1)', "(unset nil `x`)", "(list (dict))"),
)


@settings(max_examples=30)
@pytest.mark.parametrize("name", FUNCTIONS)
@given(st.lists(st.sampled_from(ARGUMENTS), max_size=4))
def test_no_function_fails_with_an_error_of_python(name: str, values: list[str]) -> None:
    data = {"list": [1.0, "x", None], "map": {"k": {"z": None}}, "null": None}
    try:
        printed(" ".join([name, *values]), data)
    except LanguageError as error:
        assert "function failed" not in str(error)
