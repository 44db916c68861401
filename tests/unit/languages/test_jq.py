"""jq programs: their first output, and what of the dialect differs from the engine's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.judges._scripts import pool, run
from tiphys.languages import CompileError, EvaluationError, jq

EVENT: dict[str, Any] = {
    "body": {"env": "dev", "n": 3, "tags": ["a", "b"], "big": 12345678901234567},
    "o": {"z": 1, "a": 2},
}


def outputs(program: str, value: Any = EVENT) -> list[Any]:
    texts = run(jq.compile(program).outputs(pool(), json.dumps(value).encode()))
    return [json.loads(text) for text in texts]


def transformed(program: str, data: bytes) -> bytes:
    return run(jq.compile(program).transform(pool(), data))


@pytest.mark.parametrize(
    ("program", "data", "result"),
    [
        (".", b'{"b": 1.0, "a": 1e2}', b'{"a":100,"b":1}'),
        ("{x: .s}", b'{"s": "<a&b>"}', b'{"x":"\\u003ca\\u0026b\\u003e"}'),
        (".a[]", b'{"a": [{"x": 1}, {"x": 2}]}', b'{"x":1}'),
        ("{a: 9007199254740993}", b"{}", b'{"a":9007199254740993}'),
        (".", b'{"a": 12345678901234567890}', b'{"a":12345678901234567000}'),
        ("{a: 1e21, b: 1e-7}", b"{}", b'{"a":1e+21,"b":1e-7}'),
        (".", b"null", b"null"),
        ("{x: .a, y: .}", b"null", b'{"x":null,"y":null}'),
        ("{t: type}", b"null", b'{"t":"object"}'),
        (".a = 1", b"null", b'{"a":1}'),
    ],
)
def test_the_first_output_is_the_new_data(program: str, data: bytes, result: bytes) -> None:
    assert transformed(program, data) == result


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("empty", "no output available from the jq command execution"),
        ("1", "jq transformation output must be a JSON object"),
        ("[.]", "jq transformation output must be a JSON object"),
        ('error("boom")', "jq transformation output must be a JSON object: boom"),
        (
            "{a: (1 + {})}",
            "jq transformation output must be a JSON object: number (1) and object ({})",
        ),
        (
            "{a: nan}",
            "jq transformation output must be a JSON object: json: unsupported value: NaN",
        ),
        ("{a: (-infinite)}", "jq transformation output must be a JSON object: json: unsupported"),
        ("halt", "jq transformation output must be a JSON object"),
    ],
)
def test_failures_name_their_cause(program: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        transformed(program, b"{}")

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("data", [b"", b"nope", b"5", b"[1]", b'"s"', b'{"a":1} x', b'{"a":1e400}'])
def test_data_must_be_an_object(data: bytes) -> None:
    with pytest.raises(EvaluationError):
        transformed(".", data)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (".o | keys, to_entries[0].key, [.[]], tojson", [["a", "z"], "a", [2, 1], '{"a":2,"z":1}']),
        ("{b: 1, a: 2} | tojson, [paths]", ['{"a":2,"b":1}', [["a"], ["b"]]]),
        ('"abc" | .[1], .[-1:], .[5]', ["b", "c", None]),
        (
            "3.0, 1e3, 1e17, 1e-5, 0.1 | tostring",
            ["3", "1000", "100000000000000000", "0.00001", "0.1"],
        ),
        ("9007199254740993 + 1, 12345678901234567890 % 1000", [9007199254740994, 890]),
        ("def f: if . < 2 then 1 else . * (. - 1 | f) end; 25 | f", [15511210043330985984000000]),
        ("100000000000000000000 / 10, -(12345678901234567890)", [10**19, -12345678901234567890]),
        ('"a\\nb" | test("a$"), test("(?m)a$"), [match("^b")]', [False, True, []]),
        ('"é1" | test("^\\\\w"), [scan("\\\\d")], test("\\\\pL")', [False, ["1"], True]),
        (
            '"abc" | gsub("b*"; "-"), gsub(""; "."), [match("b*"; "g").offset]',
            ["-a-c-", ".a.b.c.", [0, 1, 3]],
        ),
        (
            'try ("x" | test("(?=x)")) catch .',
            [
                'invalid regular expression "(?=x)": error parsing regexp: '
                "invalid or unsupported Perl syntax: `(?=`"
            ],
        ),
        ("$ENV, env, $ENV.PATH", [{}, {}, None]),
        ("1 + 2 as $x | [$x]", [[3]]),
        ("[.body[].x?]", [[]]),
        ("reduce (1, 2, 3) as $x (0; if $x == 2 then empty else . + $x end)", [4]),
        ('"2015-03-05T23:51:47+02:00" | fromdate | todate', ["2015-03-05T21:51:47Z"]),
        ('"10:20" | strptime("%H:%M")', [[1900, 0, 1, 10, 20, 0, 1, 0]]),
        ('"7.5 s" | strptime("%S.%f s") | mktime', [-2208988791.5]),
        ('[.body.tags[] | ltrimstr("a")]', [["", "b"]]),
        ('"x" | @base64d? // "bad"', ["bad"]),
        ('{"a b": 1, if: 2, "c\\(1)": 3} | keys', [["a b", "c1", "if"]]),
        (". as {body: {$n, tags: [$t]}} | [$n, $t]", [[3, "a"]]),
        ("[[1], 2] | .[] as [$a] ?// $a | [$a]", [[1], [2]]),
        ("label $out | (1, break $out, 2)", [1]),
    ],
)
def test_the_dialect_is_that_of_the_original(program: str, expected: list[Any]) -> None:
    assert outputs(program) == expected


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (".body.n.x", "expected an object but got: number (3)"),
        (".body.env[0].x", 'expected an object but got: string ("d")'),
        (".body.n[]", "cannot iterate over: number (3)"),
        ('1 + "a"', 'cannot add: number (1) and string ("a")'),
        ("1 / 0", "cannot divide number (1) by: number (0)"),
        ('"abc" | tonumber', 'tonumber cannot be applied to "abc": invalid number'),
        ("1 | ascii_downcase", "ascii_downcase cannot be applied to: number (1)"),
        ("[[1]] | @csv", "@csv cannot format an array including: array ([1])"),
        ("null | length | error", 0),
    ],
)
def test_caught_errors_have_the_words_of_the_original(program: str, expected: Any) -> None:
    assert outputs(f"try ({program}) catch .") == [expected]


@pytest.mark.parametrize(
    "name",
    [
        *("input", "inputs", "input_filename", "input_line_number", "keys_unsorted", "leaf_paths"),
        *("debug", "stderr", "$__loc__", "have_decnum", "toarray", "get_search_list", "@base32"),
        *("ascii", "splits", "getpath", "$__prog_args", "foo::bar", "ltrimstr", "limit(1)"),
    ],
)
def test_what_the_original_lacks_is_refused_at_once(name: str) -> None:
    with pytest.raises(CompileError):
        jq.compile(f"{{a: {name}}}")


@pytest.mark.parametrize(
    ("program", "position", "message"),
    [
        ("", 0, "unexpected end of program"),
        (".a |", 4, "unexpected end of program: expected a term"),
        ("{a: 1", 5, "unexpected end of program: expected '}'"),
        (".a . b", 5, "unexpected 'b': expected a name or '['"),
        ("| .a", 0, "unexpected '|': expected a term"),
        ('.a + "open', 5, "unterminated string literal"),
        ('"\\x"', 1, "invalid escape sequence"),
        ("1 == 2 == 3", 7, "unexpected '==': expected parentheses"),
        (".a | nope(1)", 5, "function not defined: nope/1"),
        ("$x", 0, "variable not defined: $x"),
        ("break $x", 6, "label not defined: $x"),
        ('include "m"; .', 0, "cannot load module"),
        ("1.2.3", 0, "invalid number"),
        ("if . then 1", 11, "unexpected end of program: expected 'end'"),
        ("@nope", 0, "format not defined: @nope"),
    ],
)
def test_a_broken_program_says_where(program: str, position: int, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        jq.compile(program)

    assert (caught.value.position, caught.value.expression) == (position, program)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("opening", ["(", "[", "{a: ", "if ", "- ", "try "])
def test_programs_may_not_be_nested_without_end(opening: str) -> None:
    with pytest.raises(CompileError, match="nested too deeply"):
        jq.compile(opening * 5000)
