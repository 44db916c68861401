"""Lua scripts: what they return, and where a broken one is broken."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.judges._scripts import pool, run
from tiphys.languages import CompileError, EvaluationError, lua

EVENT: dict[str, Any] = {
    "body": {"action": "opened", "number": 5, "tags": ["a", "b"], "id": 12345678901234567},
    "empty": [],
}


def value(script: str, event: Any = EVENT) -> Any:
    """The last value of *script*: tables decoded from JSON, all else as Lua's text."""
    result = run(lua.compile(script).value(pool(), json.dumps(event).encode()))
    return json.loads(result.text) if result.type == "table" else result.text


def transformed(script: str, event: Any) -> bytes:
    return run(lua.compile(script).transform(pool(), json.dumps(event).encode()))


@pytest.mark.parametrize(
    ("script", "passes"),
    [
        ('return event.body.action == "opened"', True),
        ("return event.body.number > 5", False),
        ("return false, true", True),
        ("return true, false", False),
        ("return 1", False),
        ('return "true"', False),
        ("return nil", False),
        ("", False),
    ],
)
def test_a_filter_passes_when_the_last_value_is_true(script: str, passes: bool) -> None:
    data = json.dumps(EVENT).encode()

    assert run(lua.compile(script).filter(pool(), data)) is passes


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("return 10 / 2", "5"),
        ("return 1 / 3", "0.3333333333333333"),
        ('return 2^53 .. ""', "9007199254740992"),
        ("return 1234567.5", "1.2345675e+06"),
        ("return event.body.id", "12345678901234568"),
        ('return "0012" + 0', "10"),
        ('return tonumber("1e2")', "nil"),
        ('return tonumber("0x1F")', "31"),
        ('return 7 % -3 .. " " .. -7 % 3', "-2 2"),
        ('return 123456789 ^ 2 .. ""', "15241578750190520"),
        ("return math.huge", "1.7976931348623157e+308"),
        ('return string.format("%5.1f|%d|%s|%x", 3.14159, 3.7, 0.5, 255)', "  3.1|3|0.5|ff"),
        ('return string.format("%s")', "%!s(MISSING)"),
        ('return ("ÄÖ"):lower()', "äö"),
        ('return ("THE (quick) fox"):gsub("%f[%a]%a+", "W")', "1"),
        ('return (("a.b"):gsub("%.", "%%"))', "a%b"),
        ('return os.date("!%Y-%m-%d %H:%M", 86400)', "1970-01-02 00:00"),
        ("local a, b = 1, 2 a, b = b, a return a .. b", "22"),
        ("goto done do return 1 end ::done:: return 2", "2"),
        ('return select("#", ("x"):match("y"))', "0"),
    ],
)
def test_values_are_those_of_the_original(script: str, expected: str) -> None:
    assert value(script) == expected


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("return {1, nil, 3}", [1, None, 3]),
        ('return {[3] = "c"}', [None, None, "c"]),
        ('return {a = 1, [1] = "x"}', ["x"]),
        ('return {[0] = "z", [1.5] = 2, [true] = 3}', {"0": "z", "1.5": 2, "true": 3}),
        ("return {}", {}),
        ("return setmetatable({}, {__is_array = true})", []),
        ("return event.empty", {}),
        ("local t = {1} t[4] = 4 return {#t, table.maxn(t)}", [4, 4]),
        (
            "local t, k = {}, {} t.z = 1 t.a = 2 for n in pairs(t) do k[#k+1] = n end return k",
            ["z", "a"],
        ),
        ("local t = {5, 2, 9} table.sort(t, function(a, b) return a > b end) return t", [9, 5, 2]),
        ("event.body.tags[4] = 'd' return event.body.tags", ["a", "b", None, "d"]),
    ],
)
def test_tables_become_json_as_in_the_original(script: str, expected: Any) -> None:
    assert value(script) == expected


def test_json_has_sorted_keys_and_the_escapes_of_go() -> None:
    result = transformed('return {b = "<&>", a = 1e21, c = 1e-7, d = 1e20}', {})

    assert result == (b'{"a":1e+21,"b":"\\u003c\\u0026\\u003e","c":1e-7,"d":100000000000000000000}')


def test_nulls_and_lists_in_lists_are_dropped() -> None:
    event = {"l": [1, None, [2], "x"], "n": None, "o": {"m": None}}

    assert json.loads(transformed("return event", event)) == {"l": [1, "x"], "o": {}}


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert json.loads(transformed(r'return {s = "a\255b"}', {})) == {"s": "a�b"}


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("return {n = 0/0}", "json: unsupported value: NaN"),
        ("return {n = 1/0}", "json: unsupported value: +Inf"),
        ("return {f = print}", "json: unsupported type: function"),
        ("local t = {} t.t = t return t", "json: nested too deeply"),
        ("return 5", "transformation script output type is not of lua table"),
        ("return nil", "transformation script output type is not of lua table"),
        ('error("no luck")', "<string>:1: no luck"),
        ("\n\nreturn nil + 1", "<string>:3: cannot perform add operation between nil and number"),
        ('return ("x"):rep({})', "<string>:1: bad argument #2 to rep (number expected, got table)"),
    ],
)
def test_failures_say_what_and_where(script: str, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        transformed(script, {})

    assert str(caught.value) == message


@pytest.mark.parametrize(
    "data", [b"", b"nope", b"5", b"[1]", b'"s"', b'{"a":1} x', b'{"a":NaN}', b'{"a":1e400}']
)
def test_data_must_be_an_object(data: bytes) -> None:
    with pytest.raises(EvaluationError):
        run(lua.compile("return {}").transform(pool(), data))


def test_null_is_an_empty_table() -> None:
    assert run(lua.compile("return event").transform(pool(), b"null")) == b"{}"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "local x = nil return x.y",
            "<string>:1: attempt to index a non-table object(nil) with key 'y'",
        ),
        ("nosuch()", "<string>:1: attempt to call a non-function object"),
        ("return {} < {}", "<string>:1: attempt to compare table with table"),
        ("x.y = 1", "<string>:1: attempt to index a non-table object(nil) with key 'y'"),
        ('error("e", 0)', "e"),
    ],
)
def test_caught_errors_have_the_words_of_the_original(script: str, expected: str) -> None:
    assert value(f"return select(2, pcall(function() {script} end))") == expected


@pytest.mark.parametrize(
    ("script", "position", "message"),
    [
        ("return {", 8, "syntax error at the end of the script: expected an expression"),
        ("x = = 1", 4, "syntax error near '=': expected an expression"),
        ("local y = 5 // 2", 13, "syntax error near '/': expected an expression"),
        ("return 'é' ?", 11, "Invalid token near '?'"),
        ("if x then", 9, "syntax error at the end of the script: expected 'elseif' or 'else'"),
        ("f(1,)", 4, "syntax error near ')': expected an expression"),
        ("goto nowhere", 5, "no visible label 'nowhere' for <goto>"),
        ("while true do end break", 18, "no loop to break"),
        ("goto x local y ::x:: return y", 5, "<goto x> jumps into the scope of a local variable"),
        ("::a:: ::a::", 8, "label 'a' already defined on line 1"),
        ("function f() return ... end", 20, "cannot use '...' outside a vararg function"),
        ("return 'open", 7, "unterminated string"),
        ("--[[ open", 0, "invalid multiline comment"),
    ],
)
def test_a_broken_script_says_where(script: str, position: int, message: str) -> None:
    with pytest.raises(CompileError) as caught:
        lua.compile(script)

    assert (caught.value.position, caught.value.expression) == (position, script)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("opening", ["(", "{", "do ", "(function() x = ", "- ", "not "])
def test_scripts_may_not_be_nested_without_end(opening: str) -> None:
    with pytest.raises(CompileError, match="nested too deeply"):
        lua.compile("x = " + opening * 5000 if opening != "do " else opening * 5000)


def test_loaded_text_is_lua_of_the_same_kind() -> None:
    assert value("return loadstring(\"goto l ::l:: return 010 .. ''\")()") == "10"
    assert value('return select(2, loadstring("return +"))') == (
        "<string> line:1(column:8) near '+':   syntax error\n"
    )
