"""Templates: how values are printed, by themselves and with printf."""

from __future__ import annotations

import pytest

from tests.unit.languages._templates import printed


@pytest.mark.parametrize(
    ("value", "out"),
    [
        (999999.0, "999999"),
        (1000000.0, "1e+06"),
        (1234567.0, "1.234567e+06"),
        (123456.5, "123456.5"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (-0.0, "-0"),
        (12345678901234567890.0, "1.2345678901234567e+19"),
        (1e100, "1e+100"),
        (float("inf"), "+Inf"),
        (float("nan"), "NaN"),
        (7, "7"),
        (True, "true"),
        ("é\n", "é\n"),
        ([1.0, "x", None, True, {"k": []}], "[1 x <nil> true map[k:[]]]"),
        ({"b": 1.0, "a": {"z": None}}, "map[a:map[z:<nil>] b:1]"),
        ([], "[]"),
        ({}, "map[]"),
    ],
)
def test_values_are_printed_as_in_go(value: object, out: str) -> None:
    assert printed(".Input", value) == out


@pytest.mark.parametrize(
    ("directive", "argument", "out"),
    [
        ("%v", "nil", "<nil>"),
        ("%s", "nil", "%!s(<nil>)"),
        ("%d", "nil", "%!d(<nil>)"),
        ("%T", "nil", "<nil>"),
        ("%.2T", "nil", "<nil>"),
        ("%T", "(list 1)", "[]interface {}"),
        ("%.4T", "1.5", "floa"),
        ("%d", '"x"', "%!d(string=x)"),
        ("%5d", '"x"', "%!d(string=    x)"),
        ("%t", "true", "true"),
        ("%6t", "true", "  true"),
        ("%t", '"x"', "%!t(string=x)"),
        ("%z", "1", "%!z(int=1)"),
        ("%w", '"x"', "%!w(string=x)"),
        ("%!", "1", "%!!(int=1)"),
        ("%d", "(list 1 2.5)", "[1 %!d(float64=2.5)]"),
        ("%s", "(list nil 1)", "[<nil> %!s(int=1)]"),
        ("%q", '(list "a" "b")', '["a" "b"]'),
        ("%v", '(dict "k" (list 1))', "map[k:[1]]"),
        ("%05d", "42", "00042"),
        ("%-5d|", "42", "42   |"),
        ("%+d", "5", "+5"),
        ("% d", "5", " 5"),
        ("%+05d", "5", "+0005"),
        ("%.5d", "42", "00042"),
        ("%8.3d", "-7", "    -007"),
        ("%.0d|", "0", "|"),
        ("%x", "255", "ff"),
        ("%#X", "255", "0XFF"),
        ("%o", "8", "10"),
        ("%#o", "8", "010"),
        ("%O", "8", "0o10"),
        ("%b", "5", "101"),
        ("%#b", "5", "0b101"),
        ("%x", "-255", "-ff"),
        ("%c", "8364", "€"),
        ("%c", "-1", "\ufffd"),
        ("%q", "65", "'A'"),
        ("%q", "39", r"'\''"),
        ("%q", "10", r"'\n'"),
        ("%+q", "233", r"'\u00e9'"),
        ("%U", "8364", "U+20AC"),
        ("%#U", "8364", "U+20AC '€'"),
        ("%.6U", "65", "U+000041"),
        ("%d", '(index "a" 0)', "97"),
        ("%#v", '(index "a" 0)', "0x61"),
        ("%f", "1.5", "1.500000"),
        ("%.2f", "2.675", "2.67"),
        ("%8.3f", "3.14159", "   3.142"),
        ("%08.3f", "-3.14159", "-003.142"),
        ("%+.1f", "2.0", "+2.0"),
        ("% .1f", "2.0", " 2.0"),
        ("%-8.1f|", "2.0", "2.0     |"),
        ("%e", "1234.5", "1.234500e+03"),
        ("%E", "1234.5", "1.234500E+03"),
        ("%g", "1e21", "1e+21"),
        ("%.3g", "1234.5", "1.23e+03"),
        ("%G", "1e-7", "1E-07"),
        ("%#g", "1.0", "1.00000"),
        ("%#.3e", "1.0", "1.000e+00"),
        ("%#.0f", "1.0", "1."),
        ("%x", "1.5", "0x1.8p+00"),
        ("%X", "0.0", "0X0P+00"),
        ("%.2x", "1.999", "0x1.00p+01"),
        ("%b", "1.0", "4503599627370496p-52"),
        ("%6.2f", "1i", "(  0.00 +1.00i)"),
        ("%s", "1.0", "%!s(float64=1)"),
        ("%5s|%-5s|", '"ab" "ab"', "   ab|ab   |"),
        ("%05s", '"ab"', "000ab"),
        ("%.2s", '"日本語"', "日本"),
        ("%q", r'"a\"b\n\x01\u2028é"', r'"a\"b\n\x01\u2028é"'),
        ("%+q", '"é😀"', r'"\u00e9\U0001f600"'),
        ("%#q", '"a"', "`a`"),
        ("%#q", '"a`"', '"a`"'),
        ("%-8q|", '"b"', '"b"     |'),
        ("%x", '"hi"', "6869"),
        ("% X", '"hi"', "68 69"),
        ("%# x", '"hi"', "0x68 0x69"),
        ("%.1x", '"hi"', "68"),
        ("%#v", '(list "a" nil 1.0)', '[]interface {}{"a", interface {}(nil), 1}'),
        ("%#v", '(dict "a" 1)', 'map[string]interface {}{"a":1}'),
        ("%#v", "(rest (list))", "[]interface {}(nil)"),
        ("%#v", '(splitList "," "a,b")', '[]string{"a", "b"}'),
        ("%#v", "(until 2)", "[]int{0, 1}"),
        ("%+v", '(dict "a" 1)', "map[a:1]"),
        ("%[2]d %[1]d", "1 2", "2 1"),
        ("%[3]d", "1", "%!d(BADINDEX)"),
        ("%[x]d", "1", "%!d(BADINDEX)"),
        ("%[1", "1", "%!(NOVERB)"),
        ("%*d", "5 42", "   42"),
        ("%*d|", "-5 42", "42   |"),
        ("%.*f", "2 1.0", "1.00"),
        ("%*d", '"x" 42', "%!(BADWIDTH)42"),
        ("%.*d", "-1 42", "%!(BADPREC)42"),
        ("%d", "", "%!d(MISSING)"),
        ("%", "1", "%!(NOVERB)%!(EXTRA int=1)"),
        ("%.", "1", "%!.(int=1)"),
        ("x", "1 nil", "x%!(EXTRA int=1, <nil>)"),
        ("%d%%", "5", "5%"),
        ("%v", '(toDate "2006-01-02" "2024-03-05").Month', "March"),
        ("%d", '(toDate "2006-01-02" "2024-03-05").Month', "3"),
        ("%s", '(semver "v1.2.3-rc.1")', "1.2.3-rc.1"),
    ],
)
def test_printf_follows_go(directive: str, argument: str, out: str) -> None:
    assert printed(f'printf "{directive}" {argument}') == out


def test_a_pointer_has_an_address() -> None:
    assert printed('printf "%p" (list 1)').startswith("0x")
    assert printed('printf "%p" (rest (list))') == "0x0"
    assert printed('printf "%p" 1') == "%!p(int=1)"


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ('html `<a href="x">\'&`', "&lt;a href=&#34;x&#34;&gt;&#39;&amp;"),
        ('html "\\x00"', "\ufffd"),
        ("js `<a href='x'>\\ \"=&`", "\\u003Ca href\\u003D\\'x\\'\\u003E\\\\ \\\"\\u003D\\u0026"),
        ('js "é\\u2028\\n"', "é\\u2028\\u000A"),
        ('urlquery "a b+c&d=é/~"', "a+b%2Bc%26d%3D%C3%A9%2F~"),
        ('html 1 "a" nil', "1a&lt;no value&gt;"),
    ],
)
def test_texts_are_escaped(expression: str, out: str) -> None:
    assert printed(expression) == out
