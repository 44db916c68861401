"""Templates: what is accepted, and where the errors are."""

from __future__ import annotations

import pytest

from tests.unit.languages._templates import printed, rendered
from tiphys.languages import CompileError, template


@pytest.mark.parametrize(
    ("text", "out"),
    [
        ("", ""),
        ("plain }} text", "plain }} text"),
        ("{ { x", "{ { x"),
        ('{{"}}"}}', "}}"),
        ("a {{- 1 -}} b", "a1b"),
        ("a \n\t{{- 1 }} b", "a1 b"),
        ("{{- -3 }}", "-3"),
        ("{{-3}}", "-3"),
        ("a{{/* }} */}}b", "ab"),
        ("a {{- /* x */ -}} b", "ab"),
        ("{{ 1\n|\nprint }}", "1"),
        ("{{ print (print 1) (print `a\r\nb`) }}", "1a\nb"),
        ("{{print 1}}{{ print\t2}}", "12"),
        ("{{ 1 | }}", "1"),
    ],
)
def test_text_and_actions_are_told_apart(text: str, out: str) -> None:
    assert rendered(text) == out


@pytest.mark.parametrize(
    ("literal", "out"),
    [
        ("0x1F", "31"),
        ("0b11", "3"),
        ("0o17", "15"),
        ("017", "15"),
        ("1_000", "1000"),
        ("+5", "5"),
        ("'a'", "97"),
        (r"'\n'", "10"),
        (r"'\''", "39"),
        (r"'\x80'", "128"),
        ("'é'", "233"),
        ("1e3", "1000"),
        ("1.5e-7", "1.5e-07"),
        (".5", "0.5"),
        ("0x1p4", "16"),
        ("1e21", "1e+21"),
        ("1+2i", "(1+2i)"),
        ("2i", "(0+2i)"),
        (r'"\t\u00e9\x41\101\U0001F600"', "\té" + "AA😀"),
        (r'"\xff" | printf "%q"', r'"\xff"'),
        (r'"\xc3\xa9"', "é"),
        (r"`raw\n`", r"raw\n"),
        ("true", "true"),
    ],
)
def test_constants_are_read_as_in_go(literal: str, out: str) -> None:
    assert printed(literal) == out


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("{{ .a", 5, "unclosed action"),
        ("{{}}", 2, "missing value for command"),
        ("x{{ }}", 4, "missing value for command"),
        ("{{ if }}x{{ end }}", 6, "missing value for if"),
        ("{{ end }}", 0, "unexpected {{end}}"),
        ("{{ if 1 }}{{ else }}{{ else }}{{ end }}", 30, "expected end; found {{else}}"),
        ("{{ range .x }}", 14, "unexpected EOF"),
        ("{{ nosuch 1 }}", 3, 'function "nosuch" not defined'),
        ("{{ $x }}", 3, 'undefined variable "$x"'),
        ("{{ if $x := 1 }}{{ end }}{{ $x }}", 28, 'undefined variable "$x"'),
        ("{{ break }}", 3, "{{break}} outside {{range}}"),
        ("{{ .a.0 }}", 5, 'unexpected ".0" in operand'),
        ("{{ .k-d }}", 5, "bad character U+002D '-'"),
        ('{{ "abc }}', 3, "unterminated quoted string"),
        ("{{ `abc }}", 3, "unterminated raw quoted string"),
        ("{{ 'a }}", 3, "unterminated character constant"),
        ("{{ 'ab' }}", 3, "malformed character constant"),
        (r'{{ "\z" }}', 3, "invalid syntax"),
        (r'{{ "\ud800" }}', 3, "invalid syntax"),
        ("{{ 1x }}", 3, "bad number syntax"),
        ("{{ 08 }}", 3, "integer overflow"),
        ("{{ 99999999999999999999 }}", 3, "integer overflow"),
        ("{{ (1 }}", 6, "unclosed left paren"),
        ("{{ 1) }}", 4, "unexpected right paren"),
        ("{{ () }}", 4, "missing value for parenthesized pipeline"),
        ("{{ | }}", 3, 'unexpected "|" in command'),
        ("{{ 1 | 2 }}", 9, "non executable command in pipeline stage 2"),
        ("{{ $a, $b := 1 }}", 5, "too many declarations in command"),
        ("{{ range $a, 1 := .x }}{{ end }}", 13, "range can only initialize variables"),
        ("{{ true.x }}", 7, "unexpected . after term"),
        ("{{ a :b }}", 3, 'function "a" not defined'),
        ("{{ print :b }}", 9, "expected :="),
        ("{{ print \x01 }}", 9, "unrecognized character in action: U+0001"),
        ("{{/* x", 2, "unclosed comment"),
        ("{{/* x */ 1 }}", 2, "comment ends before closing delimiter"),
        ("{{ /* x */ }}", 3, 'unexpected "/" in command'),
        ("{{ define 1 }}{{ end }}", 10, 'unexpected "1" in define clause'),
        ("{{ template x }}", 12, 'unexpected "x" in template clause'),
        ('{{define "a"}}1{{end}}{{define "a"}}2{{end}}', 36, "multiple definition of template"),
        ("{{ if 1 }}{{ define `x` }}{{ end }}{{ end }}", 13, 'unexpected "define" in command'),
        ("line\n{{ nosuch }}", 8, 'function "nosuch" not defined'),
    ],
)
def test_a_broken_template_is_an_error_with_its_place(
    text: str, position: int, message: str
) -> None:
    with pytest.raises(CompileError) as caught:
        template.compile(text)

    assert message in caught.value.message
    assert caught.value.position == position
    assert caught.value.expression == text


def test_the_text_of_an_error_tells_line_and_column() -> None:
    with pytest.raises(CompileError, match=r"\(line 2, column 4\)"):
        template.compile("first\n{{ nosuch }}")


def test_loops_and_variables_around_a_block_are_not_those_inside() -> None:
    with pytest.raises(CompileError, match="outside"):
        template.compile('{{ range .x }}{{ block "b" . }}{{ break }}{{ end }}{{ end }}')
    with pytest.raises(CompileError, match="undefined variable"):
        template.compile('{{ $x := 1 }}{{ block "b" . }}{{ $x }}{{ end }}')


def test_an_empty_definition_can_be_replaced() -> None:
    text = '{{define "a"}} \n{{end}}{{define "a"}}2{{end}}{{template "a"}}'

    assert rendered(text) == "2"


def test_names_may_have_letters_and_digits_of_any_script() -> None:
    assert printed(".Input.größe٣", {"größe٣": "x"}) == "x"
    with pytest.raises(CompileError, match="bad character"):
        template.compile("{{ .a² }}")


def test_a_template_shows_its_text() -> None:
    assert repr(template.compile("{{ . }}")) == "Template('{{ . }}')"
    assert template.compile("{{ . }}").text == "{{ . }}"
