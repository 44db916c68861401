"""sprig: numbers, lists, maps, JSON, defaults and types."""

from __future__ import annotations

import re

import pytest

from tests.unit.languages._templates import printed, rendered
from tiphys.languages import EvaluationError


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ('int "0x1f"', "31"),
        ('int "010"', "8"),
        ('int "3.7"', "3"),
        ('int "-.9"', "0"),
        ('int "abc"', "0"),
        ("int nil", "0"),
        ("int true", "1"),
        ("int 1e100", "-9223372036854775808"),
        ('int64 "9223372036854775808"', "0"),
        ("typeOf (int64 1)", "int64"),
        ("typeOf (int 1.5)", "int"),
        ('float64 "1e3"', "1000"),
        ('float64 "x"', "0"),
        ("float64 (list)", "0"),
        ('atoi "12x"', "0"),
        ('atoi "99999999999999999999"', "9223372036854775807"),
        ('toDecimal "0777"', "511"),
        ("toDecimal 755", "493"),
        ('toDecimal "8"', "0"),
        ("add 1 2.9 nil", "3"),
        ("add 9223372036854775807 1", "-9223372036854775808"),
        ('add1 "1"', "2"),
        ("sub 5 2", "3"),
        ("mul 2 3 4", "24"),
        ("div -7 2", "-3"),
        ("mod -7 2", "-1"),
        ("addf 1.1 2.2", "3.3"),
        ("addf", "0"),
        ("add1f 0.1", "1.1"),
        ("subf 1 0.9", "0.1"),
        ("mulf 1.1 3", "3.3"),
        ("divf 1 3", "0.3333333333333333"),
        ("divf -2 3", "-0.6666666666666667"),
        ("mulf 1e308 10", "+Inf"),
        ("max 1 3 2", "3"),
        ("biggest 1 2", "2"),
        ("min 1 3 2", "1"),
        ("maxf 1.5 2", "2"),
        ("minf 1.5 2", "1.5"),
        ('maxf 1 "inf"', "+Inf"),
        ('minf 1 "nan"', "NaN"),
        ("maxf -0.0 0.0", "0"),
        ("minf 0.0 -0.0", "-0"),
        ("ceil 1.2", "2"),
        ("ceil -0.5", "-0"),
        ('floor "1.7"', "1"),
        ('floor "-inf"', "-Inf"),
        ("round 123.555555 3", "123.556"),
        ("round 123.5 0 0.6", "123"),
        ("round 1234.5 -2", "1200"),
        ("round 1 400", "NaN"),
        ("until 3", "[0 1 2]"),
        ("until -2", "[0 -1]"),
        ("untilStep 1 10 3", "[1 4 7]"),
        ("untilStep 1 10 0", "[]"),
        ("untilStep 10 1 3", "[]"),
        ("seq 3", "1 2 3"),
        ("seq 0", "1 0"),
        ("seq 3 1", "3 2 1"),
        ("seq 1 2 5", "1 3 5"),
        ("seq 0 -2 -4", "0 -2 -4"),
        ("seq 5 1 1", ""),
        ("seq", ""),
        ("seq 1 2 3 4", ""),
        ("randInt 5 6", "5"),
    ],
)
def test_numbers(expression: str, out: str) -> None:
    assert printed(expression) == out


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ("first (list 1 2)", "1"),
        ("first (list)", "<no value>"),
        ("last (list 1 2)", "2"),
        ("last (list)", "<no value>"),
        ("rest (list 1 2)", "[2]"),
        ("rest (list) | toJson", "null"),
        ("initial (list 1 2)", "[1]"),
        ("append (list 1) 2", "[1 2]"),
        ("push (list 1) nil", "[1 <nil>]"),
        ("prepend (list 1) 2", "[2 1]"),
        ("reverse (until 3)", "[2 1 0]"),
        ("uniq (list 1 1 1.0 (int64 1) (list 1) (list 1) nil nil)", "[1 1 1 [1] <nil>]"),
        ('without (list 1 "a" (dict)) "a" (dict)', "[1]"),
        ("has (list 1) (list (list 1))", "true"),
        ("has 1 (list 1.0)", "false"),
        ("has 1 nil", "false"),
        ('compact (list 0 1 "" "x" nil false (list) (dict))', "[1 x]"),
        ("slice (until 5) 1 3", "[1 2]"),
        ("slice (until 5) 3", "[3 4]"),
        ('typeOf (slice (splitList "," "a,b") 1)', "[]string"),
        ("slice (list)", "<no value>"),
        ("concat (list 1) (until 1) (list)", "[1 0]"),
        ("concat | toJson", "null"),
        ("chunk 2 (until 3)", "[[0 1] [2]]"),
        ("chunk 2 (list)", "[]"),
        ("typeOf (chunk 2 (until 3))", "[][]interface {}"),
        ('sortAlpha (list "b" 1 nil "a")', "[1 a b]"),
        ("sortAlpha 5", "[5]"),
        ('join "-" (list "b" nil 1.5)', "b-1.5"),
        ('join "," 5', "5"),
        ("toStrings (list 1 nil)", "[1]"),
        ("toStrings nil", "[]"),
        ('dig "a" "b" "def" (dict "a" (dict "b" 1))', "1"),
        ('dig "a" "x" "def" (dict "a" (dict))', "def"),
        ('dig "a" "x" "def" (dict)', "def"),
        ("mustFirst (list 1)", "1"),
    ],
)
def test_lists(expression: str, out: str) -> None:
    assert printed(expression) == out


def test_sorting_a_list_of_texts_sorts_that_list() -> None:
    text = '{{ $x := splitList "," "b,a" }}{{ $_ := sortAlpha $x }}{{ $x }}'

    assert rendered(text) == "[a b]"


def test_a_list_from_json_has_room_at_its_end() -> None:
    assert printed("slice .Input 1 4", [1.0, 2.0, 3.0]) == "[2 3 <nil>]"
    with pytest.raises(EvaluationError, match="out of bounds"):
        printed("slice .Input 1 5", [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ('dict "b" 1 2 (list) "c"', "map[2:[] b:1 c:]"),
        ('get (dict "a" 1) "a"', "1"),
        ('get (dict) "x" | quote', '""'),
        ('get nil "x" | quote', '""'),
        ('hasKey (dict "a" nil) "a"', "true"),
        ('hasKey .Nosuch "a"', "false"),
        ('keys (dict "a" 1)', "[a]"),
        ("values (dict)", "[]"),
        ('pick (dict "a" 1 "b" 2) "a" "x"', "map[a:1]"),
        ('omit (dict "a" 1 "b" 2) "a"', "map[b:2]"),
        ('pluck "a" (dict "a" 1) (dict) (dict "a" 2)', "[1 2]"),
        ('set (dict) "a" 1', "map[a:1]"),
        ('unset (dict "a" 1) "a"', "map[]"),
        ('unset nil "a" | toJson', "null"),
        ('merge (dict "a" 1) (dict "a" 2 "b" 3)', "map[a:1 b:3]"),
        ('merge (dict "a" 0 "b" "" "c" nil) (dict "a" 5 "b" "z" "c" 1)', "map[a:5 b:z c:1]"),
        ('merge (dict "a" (dict "x" 1)) (dict "a" (dict "x" 2 "y" 3))', "map[a:map[x:1 y:3]]"),
        ('merge (dict "a" 1) (dict "a" (dict "x" 1))', "map[a:1]"),
        ('merge (dict "a" (list)) (dict "a" (list 1))', "map[a:[1]]"),
        ('merge nil (dict "a" 1)', "map[a:1]"),
        ('mergeOverwrite (dict "a" 1) (dict "a" "" "b" 3)', "map[a: b:3]"),
        ('mergeOverwrite (dict "a" 1) (dict "a" nil)', "map[a:<nil>]"),
        ('mergeOverwrite (dict "a" (list 1)) (dict "a" (list 2))', "map[a:[2]]"),
        ('mergeOverwrite (split "," "a") (dict)', "wrong type"),
        ('deepCopy (dict "a" (list 1))', "map[a:[1]]"),
        ('deepCopy (splitList "," "a") | typeOf', "[]string"),
    ],
)
def test_maps(expression: str, out: str) -> None:
    if out == "wrong type":
        with pytest.raises(EvaluationError, match=out):
            printed(expression)
    else:
        assert printed(expression) == out


def test_a_deep_copy_does_not_change_with_its_original() -> None:
    setting = '{{ $d := dict "a" (dict) }}{{ $c := deepCopy $d }}{{ $_ := set $d.a "b" 1 }}'

    assert rendered(setting + "{{ $c }}{{ $d }}") == "map[a:map[]]map[a:map[b:1]]"


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        (
            'toJson (dict "b" 1.0 "a" (list nil true "<é\\u2028>"))',
            '{"a":[null,true,"\\u003cé\\u2028\\u003e"],"b":1}',
        ),
        ('toRawJson "<a&b>"', '"<a&b>"'),
        ('toPrettyJson (dict "a" (list 1 (dict)))', '{\n  "a": [\n    1,\n    {}\n  ]\n}'),
        ("toPrettyJson (list)", "[]"),
        ('toJson "\\b\\f\\n\\x00\\x7f\\xff"', '"\\b\\f\\n\\u0000\x7f\\ufffd"'),
        ("toJson 1e21", "1e+21"),
        ("toJson 1e-7", "1e-7"),
        ("toJson 100000000.0", "100000000"),
        ("toJson (int64 5)", "5"),
        ('toJson (float64 "nan") | quote', '""'),
        ("toJson 1i | quote", '""'),
        ('toJson (toDate "2006-01-02 MST" "2024-03-05 UTC")', '"2024-03-05T00:00:00Z"'),
        ('toJson (split "," "a")', '{"_0":"a"}'),
        ('fromJson "[1,{\\"a\\":null}]"', "[1 map[a:<nil>]]"),
        ('fromJson "bad"', "<no value>"),
        ('fromJson "[1e400,2]"', "[<nil> 2]"),
        ('fromJson "\\"\\\\ud800x\\"" | printf "%q"', '"\ufffdx"'),
        ('fromJson "{\\"a\\":1,\\"a\\":2}"', "map[a:2]"),
        ('fromJson "NaN"', "<no value>"),
        ("mustToJson nil", "null"),
    ],
)
def test_json(expression: str, out: str) -> None:
    assert printed(expression) == out


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ("default 1 0", "1"),
        ('default 1 "x"', "x"),
        ("default 1", "1"),
        ("default 1 .Nosuch", "1"),
        ("0.0 | default 9", "9"),
        ("empty (dict)", "true"),
        ('empty (toDate "x" "y")', "false"),
        ('coalesce 0 "" nil "c"', "c"),
        ("coalesce", "<no value>"),
        ('all 1 ""', "false"),
        ('any 0 "x"', "true"),
        ('true | ternary "on" "off"', "on"),
        ("typeOf .Input", "float64"),
        ("typeOf 1", "int"),
        ("typeOf nil", "<nil>"),
        ("typeOf (add 1)", "int64"),
        ("kindOf (dict)", "map"),
        ("kindOf nil", "invalid"),
        ('kindIs "slice" (list)', "true"),
        ('typeIs "string" "x"', "true"),
        ('typeIsLike "semver.Version" (semver "1")', "true"),
        ("deepEqual (list 1 (dict)) (list 1 (dict))", "true"),
        ("deepEqual 1 1.0", "false"),
        ("deepEqual (rest (list)) (list)", "false"),
    ],
)
def test_defaults_and_types(expression: str, out: str) -> None:
    assert printed(expression, 1.0) == out


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("div 1 0", "integer divide by zero"),
        ("mod 1 0", "integer divide by zero"),
        ("divf 1 0", "decimal division by 0"),
        ('addf "inf"', "NaN or infinity"),
        ("randInt 5 5", "invalid argument to Intn"),
        ("first 5", "Cannot find first on type int"),
        ("first nil", "nil pointer"),
        ('uniq "x"', "Cannot find uniq on type string"),
        ("concat 1", "Cannot concat"),
        ("chunk 0 (list 1)", "len out of range"),
        ("slice (until 3) 2 1", "out of bounds"),
        ("slice (until 3) 0 9", "out of bounds"),
        ('slice "abc" 1', "list should be type of slice"),
        ('dig "a" (dict)', "at least three arguments"),
        ('dig 1 "b" "d" (dict)', "interface conversion"),
        ('dig "a" "b" "d" (dict "a" 1)', "interface conversion"),
        ('set nil "a" 1', "nil map"),
        ("deepCopy nil", "zero Value"),
        ('mustFromJson "bad"', "invalid JSON"),
        ('mustFromJson "1e999"', "cannot unmarshal number"),
        ('mustToJson (float64 "inf")', "unsupported value"),
        ("toRawJson 1i", "unsupported type: complex128"),
    ],
)
def test_errors(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=re.escape(message)):
        printed(expression)
