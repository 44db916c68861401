"""Templates: whatever a manifest asks for, a limit ends it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.languages._templates import printed, rendered
from tiphys.languages import CompileError, EvaluationError, LimitExceeded, template
from tiphys.languages.template import limits

LONG = "x" * 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "{{ range 1000000000 }}{{ end }}",
        "{{ range 2000 }}{{ range 2000 }}{{ end }}{{ end }}",
        "{{ range 600000 }}{{ len `x` }}{{ end }}",
        "{{ range 5 }}{{ $_ := derivePassword 1 `pin` `p` `u` `s` }}{{ end }}",
    ],
)
def test_loops_and_calls_are_counted(text: str) -> None:
    with pytest.raises(LimitExceeded, match="units of work"):
        rendered(text)


def test_output_is_bounded() -> None:
    with pytest.raises(LimitExceeded, match=f"wrote more than {limits.MAX_OUTPUT}"):
        rendered("{{ range 5 }}{{ $.Input }}{{ end }}", LONG)
    assert len(rendered("{{ range 4 }}{{ $.Input }}{{ end }}", LONG)) == 4_000_000


@pytest.mark.parametrize(
    "expression",
    [
        "repeat 100000000 `x`",
        "indent 1000000 (repeat 100 `\n`)",
        "replace `x` .Input .Input",
        "replace `` .Input .Input",
        "list .Input .Input .Input .Input .Input | join .Input",
        "list .Input .Input .Input .Input .Input",
        "list .Input .Input .Input .Input .Input | toJson",
        'printf "%s%s%s%s%s" .Input .Input .Input .Input .Input',
        'printf "%999999d%999999d%999999d%999999d%999999d" 1 2 3 4 5',
        "regexReplaceAll `x*` .Input `$0$0$0$0$0$0$0$0`",
        "wrapWith 1 `-----` .Input",
        "list .Input .Input .Input | join `` | b64enc",
        "randAlpha 100000000",
    ],
)
def test_functions_do_not_make_texts_that_are_too_long(expression: str) -> None:
    with pytest.raises(LimitExceeded, match="text of more than"):
        printed(expression, LONG)


@pytest.mark.parametrize(
    "expression",
    ["until 100000000", "untilStep 0 100000000 2", "seq 100000000"],
)
def test_functions_do_not_make_lists_that_are_too_long(expression: str) -> None:
    with pytest.raises(LimitExceeded, match="list of more than"):
        printed(expression)


@pytest.mark.parametrize(
    "expression",
    ["regexFindAll `x` .Input -1", "regexReplaceAll `x` .Input `y`", "regexSplit `x` .Input -1"],
)
def test_the_matches_of_regular_expressions_are_counted(expression: str) -> None:
    with pytest.raises(LimitExceeded, match="matched more than"):
        printed(expression, LONG)


def test_reading_a_long_text_again_and_again_is_counted() -> None:
    with pytest.raises(LimitExceeded, match="units of work"):
        rendered("{{ range 1000 }}{{ if contains `y` $.Input }}{{ end }}{{ end }}", LONG)


def test_a_text_that_doubles_is_stopped() -> None:
    text = "{{ $x := `x` }}{{ range 64 }}{{ $x = print $x $x }}{{ end }}"

    with pytest.raises(LimitExceeded):
        rendered(text)


def test_a_list_that_doubles_is_stopped() -> None:
    text = "{{ $x := list 1 }}{{ range 64 }}{{ $x = concat $x $x }}{{ end }}"

    with pytest.raises(LimitExceeded):
        rendered(text)


def test_lists_of_lists_are_not_compared_for_ever() -> None:
    with pytest.raises(LimitExceeded, match="comparisons"):
        printed("uniq .Input", [[float(number)] for number in range(2000)])
    numbers = [float(number % 1000) for number in range(100_000)]
    assert printed("uniq .Input | len", numbers) == "1000"


def test_templates_that_call_themselves_are_stopped() -> None:
    with pytest.raises(LimitExceeded, match=f"template depth \\({limits.MAX_DEPTH}\\)"):
        rendered('{{ define "T" }}{{ template "T" . }}{{ end }}{{ template "T" . }}')
    countdown = (
        '{{ define "T" }}{{ . }}{{ if gt . 0 }} {{ template "T" (sub . 1 | int) }}{{ end }}'
        '{{ end }}{{ template "T" 40 }}'
    )
    assert rendered(countdown).split() == [str(number) for number in range(40, -1, -1)]


def test_templates_that_multiply_are_stopped() -> None:
    twice = '{{ define "T%d" }}{{ template "T%d" }}{{ template "T%d" }}{{ end }}'
    text = "".join(twice % (number, number + 1, number + 1) for number in range(40))

    with pytest.raises(LimitExceeded):
        rendered(text + '{{ define "T40" }}{{ end }}{{ template "T0" }}')


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
        "{{ if 1 }}" * 500 + "{{ end }}" * 500,
        "{{ range 1 }}" * 50_000,
        "{{ if 1 }}" + "{{ else if 1 }}" * 500 + "{{ end }}",
    ],
)
def test_nesting_is_bounded_when_a_template_is_compiled(text: str) -> None:
    with pytest.raises(CompileError, match=f"more than {limits.MAX_NESTING}"):
        template.compile(text)


def test_nesting_up_to_the_limit_works() -> None:
    inside = limits.MAX_NESTING - 1
    text = "{{ if 1 }}" * inside + "{{ 1 }}" + "{{ end }}" * inside

    assert rendered(text) == "1"


@pytest.mark.parametrize(
    "expression",
    [".Input", "toJson .Input", "deepCopy .Input", "deepEqual .Input .Input", "quote .Input"],
)
def test_data_that_is_nested_too_deeply_is_a_limit(expression: str) -> None:
    data: Any = 1.0
    for _ in range(5000):
        data = [data]

    with pytest.raises(LimitExceeded):
        printed(expression, data)


@pytest.mark.parametrize(
    "text",
    [
        '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ $d }}',
        '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ toJson $d }}',
        '{{ $d := dict }}{{ $_ := set $d "d" $d }}{{ merge $d $d }}',
    ],
)
def test_a_map_inside_itself_is_a_limit(text: str) -> None:
    with pytest.raises(LimitExceeded):
        rendered(text)


def test_huge_exponents_do_not_take_time() -> None:
    with pytest.raises(EvaluationError, match="exponent out of range"):
        printed("mulf " + "1e-300 " * 100)


def test_a_limit_is_an_error_of_evaluation() -> None:
    with pytest.raises(EvaluationError):
        rendered("{{ range 1000000000 }}{{ end }}")
