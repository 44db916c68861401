"""Templates: fields, variables, control, calls, and the errors of execution."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.unit.languages._templates import printed, rendered
from tiphys.languages import EvaluationError, template

DATA = {
    "n": 1234567.0,
    "one": 1.0,
    "s": "hello",
    "nul": None,
    "list": [3.0, 1.0, 2.0],
    "map": {"b": {"c": None}, "a": "x"},
    "none": [],
    "t": True,
}


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        (".", "map[Input:1]"),
        (".Input", "1"),
        (".Nosuch", "<no value>"),
        (".Nosuch.a.b", "<no value>"),
        (".Nosuch.a 1 2", "<no value>"),
        ("$.Input", "1"),
    ],
)
def test_dot_is_a_map_with_the_input(expression: str, out: str) -> None:
    assert printed(expression, 1.0) == out


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        (".Input.n", "1.234567e+06"),
        (".Input.nul", "<no value>"),
        (".Input.map", "map[a:x b:map[c:<nil>]]"),
        (".Input.map.b.c", "<no value>"),
        ("(.Input.nul).x", "<no value>"),
        ("(.Input.map).a", "x"),
        ("$.Input.map.a", "x"),
        ("index .Input.list 0", "3"),
        ('index .Input "map" "a"', "x"),
        ('index .Input "nosuch"', "<no value>"),
        ('index "abc" 1', "98"),
        ("len .Input.list", "3"),
        ('len "日本"', "6"),
        ("and 1 0 2", "0"),
        ("and 1 2", "2"),
        ('or 0 "" "x"', "x"),
        ("or 0 .Input.nul", "<no value>"),
        ('and 0 (fail "never evaluated")', "0"),
        ('or 1 (fail "never evaluated")', "1"),
        ('"a" | or 0', "a"),
        ("not 0", "true"),
        ("print .Input.nul .Nosuch nil", "<nil> <nil> <nil>"),
        ('print 1 2 "a" "b" 3', "1 2a b3".replace(" b", "b")),
        ('println "a" 1', "a 1\n"),
        ('"a" | printf "%s-%s" "x"', "x-a"),
        ("1 | add 2 | print", "3"),
        ("html .Input.nul", "&lt;no value&gt;"),
    ],
)
def test_expressions(expression: str, out: str) -> None:
    assert printed(expression, DATA) == out


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ("eq .Input.one 1.0", "true"),
        ('eq "b" "a" "b"', "true"),
        ("eq .Input.nul nil", "true"),
        ('eq .Input.nosuch "x"', "false"),
        ("eq nil .Input.list", "false"),
        ("eq nil (rest (list))", "true"),
        ("eq 1 (int64 1)", "true"),
        ('eq 98 (index "abc" 1)', "true"),
        ("lt 1 (int64 2)", "true"),
        ('lt -1 (index "a" 0)', "true"),
        ('lt "a" "b"', "true"),
        ("le 2 2", "true"),
        ("gt 1.5 1.0", "true"),
        ("ge 1 2", "false"),
        ("ne true false", "true"),
        ('eq (semver "1.0.0") (semver "1.0.0")', "false"),
        ('eq (toDate "2006" "2020") (toDate "2006" "2020")', "true"),
    ],
)
def test_comparisons(expression: str, out: str) -> None:
    assert printed(expression, DATA) == out


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (".Input.s.x", "can't evaluate field x in type string"),
        (".Input.map.b.c.q", "nil pointer evaluating interface {}.q"),
        ('.Input.s "x"', "s is not a method but has arguments"),
        ('"x" | .Input.s', "s is not a method but has arguments"),
        ("eq .Input.one 1", "incompatible types for comparison: float64 and int"),
        ('lt 1 "1"', "incompatible types for comparison"),
        ("lt nil 1", "invalid type for comparison"),
        ("lt true false", "invalid type for comparison"),
        ("eq .Input.list .Input.list", "non-comparable type"),
        ("eq .Input.list .Input.map", "non-comparable type"),
        ("eq 1", "missing argument for comparison"),
        ("not", "wrong number of args for not: want 1 got 0"),
        ("and", "wrong number of args for and: want at least 1 got 0"),
        ("upper", "wrong number of args for upper: want 1 got 0"),
        ("index .Input.list 3", "index out of range: 3"),
        ("index .Input.list -1", "index out of range: -1"),
        ("index .Input.list 0.0", "cannot index slice/array with type float64"),
        ("index .Input.map 1", "value has type int; should be string"),
        ("index nil 1", "index of untyped nil"),
        ("index 5 1", "can't index item of type int"),
        ("len 3", "len of type int"),
        ("len nil", "len of nil pointer"),
        ("1 2", "can't give argument to non-function 1"),
        ("nil", "nil is not a command"),
        ("nil.x", "unexpected"),
        ("call .Input.s", "non-function of type string"),
        ("upper 1", "expected string; found 1"),
        ("upper .Input.one", "wrong type for value; expected string; got float64"),
        ("upper .Input.nul", "wrong type for value; expected string; got interface {}"),
        ("upper .Input.nosuch", "invalid value; expected string"),
        ("upper nil", "cannot assign nil to string"),
        ('until "3"', 'expected int; found "3"'),
        ("until 1.5", "expected int; found 1.5"),
        ("ternary 1 2 1", "expected bool; found 1"),
        ('keys "x"', 'expected map[string]interface {}; found "x"'),
        ("18446744073709551615", "overflows int"),
        ("print 18446744073709551615", "overflows int"),
        ('fail "boom"', "error calling fail: boom"),
        ('template "nosuch"', 'template "nosuch" not defined'),
    ],
)
def test_execution_errors(expression: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        printed(expression, DATA)

    assert message in str(caught.value)


def test_an_execution_error_names_line_column_and_expression() -> None:
    with pytest.raises(EvaluationError) as caught:
        rendered("text\n  {{ .Input.list.x }}", DATA)

    assert str(caught.value).startswith("2:5: <.Input.list.x>: ")
    with pytest.raises(EvaluationError) as caught:
        rendered("{{ print ((semver (print `x`)).Major) }}")

    assert str(caught.value).startswith("1:11: <semver (print `x`)>: error calling semver: ")


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("{{if .Input.none}}T{{else if .Input.nul}}U{{else if 1}}V{{else}}F{{end}}", "V"),
        ("{{with .Input.map}}{{.a}}{{$.Input.s}}{{end}}", "xhello"),
        ("{{with .Input.none}}a{{else with .Input.s}}{{.}}{{else}}c{{end}}", "hello"),
        ("{{with $x := .Input.s}}{{$x}}{{end}}", "hello"),
        ("{{range .Input.list}}[{{.}}]{{end}}", "[3][1][2]"),
        ("{{range $i, $x := .Input.list}}{{$i}}={{$x}};{{end}}", "0=3;1=1;2=2;"),
        ("{{range $k, $v := .Input.map}}{{$k}}={{$v}};{{end}}", "a=x;b=map[c:<nil>];"),
        ("{{range .Input.none}}x{{else}}none{{end}}", "none"),
        ("{{range .Input.nosuch}}x{{else}}none{{end}}", "none"),
        ("{{range 3}}{{.}}{{end}}{{range 0}}x{{else}}-{{end}}", "012-"),
        ('{{range (int64 2)}}{{printf "%T" .}} {{end}}', "int64 int64 "),
        ("{{range .Input.list}}{{if eq . 1.0}}{{continue}}{{end}}{{.}}{{end}}", "32"),
        ("{{range .Input.list}}{{.}}{{if eq . 1.0}}{{break}}{{end}}{{end}}", "31"),
        ("{{range .Input.list}}{{range 2}}{{break}}{{end}}{{.}}{{end}}", "312"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{$x}}{{end}}{{$x}}", "21"),
        ("{{$x := 0}}{{range $x = .Input.list}}{{end}}{{$x}}", "2"),
        ("{{$x := 0}}{{range $x = .Input.none}}{{end}}{{$x}}", "[]"),
        ("{{range $x := .Input.none}}{{else}}{{$x}}{{end}}", "[]"),
        ("{{$x := 1}}{{and 0 ($x := 2)}}{{$x}}", "01"),
        ('{{define "T"}}<{{.}}{{$}}>{{end}}{{template "T" .Input.s}}', "<hellohello>"),
        ('{{template "T"}}{{define "T"}}{{.}}{{end}}', "<no value>"),
        ('{{block "B" 5}}b{{.}}{{end}}{{template "B" 6}}', "b5b6"),
        ("{{(semver `v1.2.3`).Major}}", "1"),
        ('{{(semver "1.2.3").Compare (semver "1.3.0")}}', "-1"),
        ('{{(toDate "2006-01-02" "2024-03-05").Format "Jan 2"}}', "Mar 5"),
    ],
)
def test_control(text: str, out: str) -> None:
    assert rendered(text, DATA) == out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{range .Input.s}}x{{end}}", "range can't iterate over hello"),
        ("{{range .Input.one}}x{{end}}", "range can't iterate over 1"),
        ("{{range $i, $x := 3}}x{{end}}", "more than one variable"),
        ("{{$x = 1}}", "undefined variable: $x"),
        ("{{and 0 ($x := 2)}}{{$x}}", "undefined variable: $x"),
        ("{{range $x = .Input.list}}{{end}}", "undefined variable: $x"),
    ],
)
def test_control_errors(text: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        rendered(text, DATA)

    assert message in str(caught.value)


def test_what_was_written_before_an_error_is_lost() -> None:
    compiled = template.compile("before {{ .Input.s.x }}")
    for _ in range(2):
        with pytest.raises(EvaluationError):
            compiled.render({"s": "text"})
    assert compiled.render({"s": {"x": "fine"}}) == "before fine"


@pytest.mark.parametrize(
    "text",
    [
        '{{ set .Input "a" 2 }}{{ unset .Input "b" }}',
        '{{ merge .Input (dict "x" 1) }}',
        '{{ mergeOverwrite .Input.c (dict "d" 1) }}',
    ],
)
def test_rendering_does_not_change_the_data(text: str) -> None:
    data: dict[str, Any] = {"a": 1.0, "b": [1.0], "c": {"d": "x"}}

    rendered(text, data)

    assert data == {"a": 1.0, "b": [1.0], "c": {"d": "x"}}


def test_one_template_renders_in_many_threads() -> None:
    compiled = template.compile("{{ $x := .Input }}{{ range 50 }}{{ $x }}{{ end }}")
    results: dict[int, str] = {}

    def render(number: int) -> None:
        results[number] = compiled.render(str(number))

    threads = [threading.Thread(target=render, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == {number: str(number) * 50 for number in range(8)}


def test_the_environment_is_hidden_unless_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIPHYS_TEST_VALUE", "seen")
    text = (
        '{{ env "TIPHYS_TEST_VALUE" }}|{{ expandenv "$TIPHYS_TEST_VALUE ${TIPHYS_TEST_VALUE}-" }}|'
        '{{ getHostByName "127.0.0.1" }}'
    )

    assert template.compile(text).render(None) == "||"
    allowed = template.compile(text, allow_environment=True)
    assert allowed.render(None) == "seen|seen seen-|127.0.0.1"
