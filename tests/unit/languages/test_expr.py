"""Filter expressions: values, names, operators, members and calls."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tiphys.languages import CompileError, EvaluationError, LanguageError, expr

ENVIRONMENT: dict[str, Any] = {
    "n": 7.0,
    "f": 1.5,
    "name": "Octo",
    "ok": True,
    "no": False,
    "nothing": None,
    "tags": ["a", "b", "c"],
    "numbers": [3.0, 1.0, 2.0],
    "body": {"ref": "refs/heads/main", "list": [{"id": 1.0}, {"id": 2.0}], "k-d": 1.0},
}


def evaluate(expression: str, **names: Any) -> Any:
    return expr.compile(expression).evaluate({**ENVIRONMENT, **names})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("0x1F", 31),
        ("1_000", 1000),
        (".5e1", 5.0),
        ("5.", 5.0),
        ("017", 17),
        ("9223372036854775807", 2**63 - 1),
        (r"'it\'s' + \"\x41\u00e9\U0001F600\101\"".replace('\\"', '"'), "it'sAé😀A"),
        ('"a\r\nb\rc"', "a\nb\nc"),
        (r'"\ud800"', "\ufffd"),
        ("1 /* one */ + /*/ two */ 2 // three", 3),
        ("[1, 2,]", [1, 2]),
        ("{a: 1, 'b': 2, 3: 4, (name): 5,}", {"a": 1, "b": 2, "3": 4, "Octo": 5}),
        ("{a: 1, a: 2}", {"a": 1}),
        ("1..3", [1, 2, 3]),
        ("3..1", []),
    ],
)
def test_literals_have_the_values_of_go(expression: str, value: Any) -> None:
    result = evaluate(expression)

    assert result == value
    assert isinstance(result, type(value))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 / 2", 3.5),
        ("7 % -2", 1),
        ("-7 % 2", -1),
        ("2 ** 3 ** 2", 512.0),
        ("-2 ** 2", -4.0),
        ("9223372036854775807 + 1", -(2**63)),
        ("-9223372036854775807 - 2", 2**63 - 1),
        ("n + 1", 8.0),
        ("1 / 0", math.inf),
        ("-1 / 0", -math.inf),
        ("0.5 ** 2", 0.25),
        ("2 ^ 0.5", math.sqrt(2)),
        ("2 ^ -1", 0.5),
        ("0 ^ -1", math.inf),
        ("10 ^ 400", math.inf),
        ("name + '!'", "Octo!"),
        ("0.1 + 0.2 == 0.3", False),
        ("n == 7", True),
        ("n in [1, 7]", True),
        ("n in 1..10", True),
        ("1.5 in 1..10", False),
        ("tags == ['a', 'b', 'c']", True),
        ("numbers == [3, 1, 2]", False),
        ("numbers == [3.0, 1.0, 2.0]", True),
        ("1..3 == [1, 2, 3]", False),
        ("'é' > 'z'", True),
        ("'ref' in body", True),
        ("'x' not in tags", True),
        ("'x' in nothing", False),
        ("name matches '^O.*o$'", True),
        ("name not startsWith 'X'", True),
        ("(nothing ?? 1) + 1", 2),
        ("no or n", 7.0),
        ("ok and name", "Octo"),
        ("missing == nil", True),
        ("nothing == missing", True),
        ("ok ? 1 : 2", 1),
        ("ok ?: 2", True),
        ("no ?: 2", 2),
        ("not true or true", True),
        ("1 + 2 | string()", "3"),
    ],
)
def test_operators_compute_as_in_go(expression: str, value: Any) -> None:
    result = evaluate(expression)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("body.ref", "refs/heads/main"),
        ("body['k-d']", 1.0),
        ("body.list[-1].id", 2.0),
        ("body.list[0.9].id", 1.0),
        ("body.missing", None),
        ("body?.missing?.x.y", None),
        ("(missing?.a).b", None),
        ("tags[1:]", ["b", "c"]),
        ("tags[-2:-1]", ["b"]),
        ("tags[2:1]", []),
        ("tags[:100]", ["a", "b", "c"]),
        ("name[1:3]", "ct"),
        ("name[0]", 79),
        ("body.in", None),
        ("body[nil]", None),
        ("$env.n", 7.0),
        ("$env['name']", "Octo"),
        ("let x = n; let y = x + 1; x * y", 56.0),
    ],
)
def test_members_are_found(expression: str, value: Any) -> None:
    assert evaluate(expression) == value


def test_brackets_end_the_reach_of_an_optional_member() -> None:
    with pytest.raises(EvaluationError, match="cannot fetch b from <nil>"):
        evaluate("missing?.a['b']")


def test_texts_are_counted_in_bytes() -> None:
    assert evaluate("len('é☃')") == 5
    assert evaluate("indexOf('é☃x', 'x')") == 5
    assert evaluate("map(x, #)", x="é") == [0xC3, 0xA9]
    assert evaluate("x[0:2] == x", x="é") is True
    assert evaluate("x[1:]", x="éa") == "\udca9a"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("body.missing.x", r"cannot fetch x from <nil> \(1:14\)"),
        ("tags[9]", r"out of range \(1:5\)"),
        ("n % 2", r"invalid operation: float64 % int \(1:3\)"),
        ("\n name - 1", r"string - int \(2:7\)"),
        ("n ? 1 : 2", r"is float64, not bool \(1:1\)"),
        ("not n", r"is float64, not bool \(1:1\)"),
        ("n and ok", r"is float64, not bool \(1:3\)"),
        ("name.x", r"int\(string\) \(1:6\)"),
        ("n in ['a']", r"not assignable to type string \(1:3\)"),
        ("unknown(1)", r"no function \(1:1\)"),
        ("1 % zero", r"divide by zero|float64"),
        ("name matches ok", r"is bool, not string"),
        ("name matches '(' + name", r"missing closing"),
        ("body[1]", r"not assignable to type string"),
        ("{(n): 1}", r"must be a text"),
        ("reduce([], #acc)", r"out of range"),
    ],
)
def test_an_error_of_evaluation_tells_line_and_column(expression: str, message: str) -> None:
    compiled = expr.compile(expression)

    with pytest.raises(EvaluationError, match=message):
        compiled.evaluate({**ENVIRONMENT, "zero": 0.0})


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("", 0),
        ("1 +", 2),
        ("(1", 1),
        ("1 2", 2),
        ("a ~ b", 2),
        ("'abc", 0),
        ("'a\nb'", 0),
        (r"'\q'", 1),
        (r"'\x4'", 1),
        (r"'\477'", 1),
        ("1 /* open", 2),
        ("0b11", 0),
        ("12ab", 0),
        ("1e400", 0),
        ("9223372036854775808", 0),
        ("0x", 0),
        ("a.", 1),
        ("a.1", 1),
        ("a?.[0]", 3),
        ("# > 1", 0),
        ("f(1,)", 4),
        ("[1 2]", 3),
        ("[,]", 1),
        ("{a 1}", 3),
        ("{+: 1}", 1),
        ("a = 1", 2),
        ("let = 1; 2", 4),
        ("let a 1; 2", 6),
        ("let a = 1", 8),
        ("a | upper", 8),
        ("a | 1", 4),
        ("a ?? b + c", 7),
        ("count(tags)", 10),
        ("'abc'[1]", 5),
        ("a[1:2:3]", 5),
    ],
)
def test_a_broken_expression_is_an_error_at_its_place(expression: str, position: int) -> None:
    with pytest.raises(CompileError) as caught:
        expr.compile(expression)

    assert caught.value.position == position


def test_functions_hide_names_of_the_environment() -> None:
    compiled = expr.compile("twice(n) + more.half(n)", {"twice": lambda n: n * 2, "more": MORE})

    assert compiled.evaluate({"n": 4.0, "twice": 1.0, "more": {}}) == 10.0


MORE = {"half": lambda n: n / 2}


def test_what_a_function_raises_is_an_error_of_evaluation() -> None:
    def fail() -> None:
        raise ZeroDivisionError("three")

    with pytest.raises(EvaluationError, match=r"three \(1:5\)"):
        expr.compile("1 + fail()", {"fail": fail}).evaluate({})
    with pytest.raises(EvaluationError):
        expr.compile("fail(1, 2)", {"fail": fail}).evaluate({})


def test_declared_variables_are_texts_and_no_other_names_exist() -> None:
    compiled = expr.compile('"(" + a + "&&" + b + ")"', variables=["a", "b"])

    assert compiled.evaluate({"a": "x", "b": "y"}) == "(x&&y)"
    with pytest.raises(CompileError, match="unknown name c"):
        expr.compile("a + c", variables=["a", "b"])
    with pytest.raises(CompileError, match="mismatched"):
        expr.compile("a + 1", variables=["a", "b"])


def test_an_expression_is_compiled_once_and_keeps_no_state() -> None:
    compiled = expr.compile("let x = n; map([1, 2], # + x)")

    assert compiled.evaluate({"n": 1.0}) == [2.0, 3.0]
    assert compiled.evaluate({"n": 2.0}) == [3.0, 4.0]
    with pytest.raises(LanguageError):
        compiled.evaluate({})
    assert compiled.evaluate({"n": 1.0}) == [2.0, 3.0]
    assert "let x" in repr(compiled)
