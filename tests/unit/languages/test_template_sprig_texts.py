"""sprig: functions on texts, encodings, paths, URLs, regular expressions and versions."""

from __future__ import annotations

import re

import pytest

from tests.unit.languages._templates import printed
from tiphys.languages import EvaluationError


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ('upper "straße ǆ ᾳ"', "STRAßE Ǆ ᾼ"),
        ('lower "ÀΣ İ"', "àσ i"),
        ('title "o\'neil-smith foo_bar ǆ"', "O'Neil-Smith Foo_bar ǅ"),
        ('untitle "Foo Bar"', "foo bar"),
        ('swapcase "aBc dE é"', "AbC De É"),
        ('trim " \\t x\\u3000"', "x"),
        ('trimAll "$-" "$-5$-"', "5"),
        ('trimall "" "x"', "x"),
        ('trimPrefix "a" "aab"', "ab"),
        ('trimSuffix "b" "abb"', "ab"),
        ('nospace "a b\\tc"', "abc"),
        ('nospace "é"', "é"),
        ('nospace "é b"', "Ã©b"),
        ('initials "hello wORLD-x"', "hw"),
        ('trunc 3 "héllo"', "hé"),
        ('trunc -3 "hello"', "llo"),
        ('trunc 2 "hé" | printf "%q"', '"h\\xc3"'),
        ('print (trunc 2 "hé") (trunc -1 "hé")', "hé"),
        ('substr 1 3 "hello"', "el"),
        ('substr -1 3 "hello"', "hel"),
        ('substr 1 -1 "hello"', "ello"),
        ('abbrev 8 "hello wonderful"', "hello..."),
        ('abbrev 3 "hello"', "hello"),
        ('abbrevboth 5 10 "1234 5678 9123"', "...5678..."),
        ('abbrevboth 20 8 "1234 5678 9123"', "... 9123"),
        ('wrap 8 "the quick brown fox"', "the\nquick\nbrown\nfox"),
        ('wrap 3 "incredible x"', "incredible\nx"),
        ('wrapWith 5 "\\t" "HelloWorld"', "Hello\tWorld"),
        ('repeat 3 "ab"', "ababab"),
        ('replace "" "-" "añ"', "-a-ñ-"),
        ('indent 2 "a\\nb"', "  a\n  b"),
        ('nindent 1 "a"', "\n a"),
        ('cat "a" nil 1 "b"', "a 1 b"),
        ('quote "a\\"b" 1 nil "é\\x01"', '"a\\"b" "1" "é\\x01"'),
        ('squote "it\'s" 1', "'it's' '1'"),
        ('contains "ell" "hello"', "true"),
        ('hasPrefix "he" "hello"', "true"),
        ('hasSuffix "x" "hello"', "false"),
        ('plural "one" "many" 2', "many"),
        ('split "," "a,b"', "map[_0:a _1:b]"),
        ('(split "," "a,b")._1', "b"),
        ('(split "," "a,b")._5', "<no value>"),
        ('index (split "," "a") "x" | quote', '""'),
        ('splitn "," 2 "a,b,c"', "map[_0:a _1:b,c]"),
        ('splitn "" 2 "añb"', "map[_0:a _1:ñb]"),
        ('splitn "," 0 "a"', "map[]"),
        ('splitList "" "hé"', "[h é]"),
        ('snakecase "HTTP20xOK JSONData2XML"', "http_20x_ok_json_data2_xml"),
        ('snakecase "Bld4Floor3rd"', "bld4_floor_3rd"),
        ('kebabcase "FirstName2x"', "first-name-2x"),
        ('camelcase "http_server-name x"', "HttpServerNameX"),
        ('camelcase "HTTPServer"', "Httpserver"),
        ('camelcase "__"', "___"),
        ('camelcase "_a__b"', "_A_B"),
        ('sha1sum "a"', "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
        ('sha256sum "é" | trunc 8', "4a99557e"),
        ('sha512sum "a" | trunc 8', "1f40fc92"),
        ('adler32sum "abc"', "38600999"),
        ("toString nil", "<nil>"),
        ("hello", "Hello!"),
    ],
)
def test_texts(expression: str, out: str) -> None:
    assert printed(expression) == out


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ('b64enc "日本"', "5pel5pys"),
        ('b64dec "aGVs\\nbG8="', "hello"),
        ('b64dec "!!"', "illegal base64 data at input byte 0"),
        ('b64dec "aGVsbG8"', "illegal base64 data at input byte 4"),
        ('b64dec "aG="', "illegal base64 data at input byte 3"),
        ('b64dec "aGVsbG8=x"', "illegal base64 data at input byte 8"),
        ('b64dec "/w==" | printf "%q"', '"\\xff"'),
        ('b32enc "a"', "ME======"),
        ('b32dec "ME======"', "a"),
        ('b32dec "ME"', "illegal base32 data at input byte 0"),
        ('b32dec "M1======"', "illegal base32 data at input byte 1"),
        ('b32dec "MEM====="', "illegal base32 data at input byte 3"),
        ('b32dec "ME=A===="', "illegal base32 data at input byte 2"),
        ('base "/a/b.txt"', "b.txt"),
        ('base ""', "."),
        ('base "//"', "/"),
        ('dir "/a/b.txt"', "/a"),
        ('dir "a"', "."),
        ('ext "x.tar.gz"', ".gz"),
        ('ext "a.b/c"', ""),
        ('clean "//a/../b//c/."', "/b/c"),
        ('isAbs "/a"', "true"),
        ('osBase "a/b"', "b"),
    ],
)
def test_encodings_and_paths(expression: str, out: str) -> None:
    assert printed(expression) == out


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        (
            'urlParse "http://u:p@h:80/p%20q?q=1#f"',
            "map[fragment:f host:h:80 hostname:h opaque: path:/p q query:q=1"
            " scheme:http userinfo:u:p]",
        ),
        ('(urlParse "//[::1%25eth0]:8080/a").hostname', "::1%eth0"),
        ('(urlParse "mailto:a@b").opaque', "a@b"),
        ('(urlParse "HTTPS://h").scheme', "https"),
        ('(urlParse "*").path', "*"),
        (
            'urlJoin (dict "scheme" "https" "host" "h" "path" "/a b" "query" "x=1" "fragment" "é")',
            "https://h/a%20b?x=1#%C3%A9",
        ),
        ('urlJoin (dict "host" "h" "path" "p" "userinfo" "u:p@x")', "//u:p%40x@h/p"),
        ('urlJoin (dict "path" "a:b")', "./a:b"),
        ('urlJoin (dict "scheme" "mailto" "opaque" "a@b")', "mailto:a@b"),
        ("urlJoin (dict)", ""),
    ],
)
def test_urls(expression: str, out: str) -> None:
    assert printed(expression) == out


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ('regexMatch "^[a-z]+$" "abc"', "true"),
        ('regexMatch "(?=x)" "x"', "false"),
        ('regexFind "a+" "baab"', "aa"),
        ('regexFind "x" "baab" | quote', '""'),
        ('regexFindAll "[0-9]" "1a2b3" 2', "[1 2]"),
        ('regexFindAll "x" "a" -1 | toJson', "null"),
        ('regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W"', "-W-xxW-"),
        ('regexReplaceAll "a(x*)b" "-ab-axxb-" "$1W"', "---"),
        ('regexReplaceAllLiteral "a(x*)b" "-ab-" "${1}"', "-${1}-"),
        ('regexSplit "z+" "pizza" -1', "[pi a]"),
        ('regexSplit "z" "a" 0 | toJson', "null"),
        ('regexQuoteMeta "1.2$"', "1\\.2\\$"),
        ('mustRegexMatch "b" "abc"', "true"),
    ],
)
def test_regular_expressions(expression: str, out: str) -> None:
    assert printed(expression) == out


@pytest.mark.parametrize(
    ("constraint", "fulfilled", "refused"),
    [
        ("^1.2.3", ["1.2.3", "1.9.0"], ["1.2.2", "2.0.0", "1.3.0-rc.1"]),
        ("^0.2.3", ["0.2.9"], ["0.3.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0", ["0.9.9"], ["1.0.0"]),
        ("^0.0", ["0.0.9"], ["0.1.0"]),
        ("~1.2.3", ["1.2.9"], ["1.3.0"]),
        ("~1", ["1.9.0"], ["2.0.0"]),
        ("~>1.2", ["1.2.9"], ["1.3.0"]),
        ("1.2.x || >=3", ["1.2.9", "3.0.0"], ["1.3.0", "2.9.9"]),
        (">1", ["2.0.0"], ["1.9.9"]),
        (">1.2", ["1.3.0"], ["1.2.9"]),
        ("<=1", ["1.9.9"], ["2.0.0"]),
        ("<=1.2", ["1.2.9"], ["1.3.0"]),
        ("=<1.2.3", ["1.2.3"], ["1.2.4"]),
        ("<1.2", ["1.1.9"], ["1.2.0"]),
        ("!=1.2", ["1.3.0", "2.2.0"], ["1.2.5"]),
        ("!=1", ["2.0.0"], ["1.0.0"]),
        ("!=1.2.3", ["1.2.4"], ["1.2.3"]),
        (">=1.2, <2", ["1.5.0"], ["2.0.0"]),
        (">=1.2 <2", ["1.5.0"], ["2.0.0"]),
        ("1.2 - 1.4.5", ["1.4.5"], ["1.4.6", "1.1.9"]),
        (">=1.0.0-0", ["1.2.3-rc1"], ["0.9.0"]),
        (">1.0.0-beta.2", ["1.0.0-beta.11", "1.0.0-rc"], ["1.0.0-beta.1", "1.0.0-alpha"]),
        ("*", ["0.0.0", "9.9.9"], ["1.0.0-rc"]),
        ("v1.2.3", ["1.2.3", "v1.2.3+meta"], ["1.2.4"]),
    ],
)
def test_version_constraints(constraint: str, fulfilled: list[str], refused: list[str]) -> None:
    for version in fulfilled:
        assert printed(f'semverCompare "{constraint}" "{version}"') == "true", version
    for version in refused:
        assert printed(f'semverCompare "{constraint}" "{version}"') == "false", version


@pytest.mark.parametrize(
    ("expression", "out"),
    [
        ('semver "v1.2-beta.1+meta"', "1.2.0-beta.1+meta"),
        ('(semver "v1.2.3").Original', "v1.2.3"),
        ('(semver "1.2.3-rc.1+m").Prerelease', "rc.1"),
        ('(semver "1.2.3-rc.1+m").Metadata', "m"),
        ('(semver "v1.2.3-rc.1").IncPatch', "1.2.3"),
        ('(semver "v1.2.3").IncPatch', "1.2.4"),
        ('(semver "v1.2.3").IncMinor', "1.3.0"),
        ('(semver "v1.2.3").IncMajor', "2.0.0"),
        ('(semver "1.2.3").SetPrerelease "x.1"', "1.2.3-x.1"),
        ('(semver "1.2.3").SetMetadata "m"', "1.2.3+m"),
        ('(semver "1.2.3").LessThan (semver "1.2.4")', "true"),
        ('(semver "1.2.3+a").Equal (semver "1.2.3+b")', "true"),
        ('typeOf (semver "1")', "*semver.Version"),
        ('typeOf (semver "1").IncMajor', "semver.Version"),
        ('printf "%T" (semver "1").Minor', "uint64"),
        ('toJson (semver "v1")', '"1.0.0"'),
        (
            'printf "%#v" (semver "v1")',
            '&semver.Version{major:0x1, minor:0x0, patch:0x0, pre:"", metadata:"", original:"v1"}',
        ),
    ],
)
def test_versions(expression: str, out: str) -> None:
    assert printed(expression) == out


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ('substr 1 0 "hello"', "out of range"),
        ('substr 9 -1 "hello"', "out of range"),
        ('repeat -1 "a"', "negative Repeat count"),
        ('indent -1 "a"', "negative Repeat count"),
        ('mustRegexFind "(" "x"', "missing closing )"),
        ('regexReplaceAll "[" "x" "y"', "missing closing ]"),
        ('semver "bad"', "invalid semantic version"),
        ('semver "1.2.3-01"', "segment starts with 0"),
        ('semver "99999999999999999999"', "out of range"),
        ('semverCompare "" "1.0.0"', "improper constraint"),
        ('semverCompare "a" "1.0.0"', "improper constraint"),
        ('semverCompare "1.0|0" "1.0.0"', "constraint parser error"),
        ('(semver "1.2.3").SetPrerelease "a b"', "invalid prerelease string"),
        ('(semver "1.2.3").IncMajor.Original', "can't evaluate field Original"),
        ('urlParse "http://[::1"', "missing ']' in host"),
        ('urlParse "http://[1.2.3.4]"', "invalid host"),
        ('urlParse "http://h:x"', "invalid port"),
        ('urlParse ":x"', "missing protocol scheme"),
        ('urlParse "a:b" | urlJoin | urlParse | print | urlParse "1:2"', "wrong number of args"),
        ('urlParse "1:2"', "first path segment"),
        ('urlParse "http://a b"', "invalid character"),
        ('urlParse "%zz"', "invalid URL escape"),
        ('urlParse "a\\nb"', "invalid control character"),
        ('urlParse "http://u ser@h"', "invalid userinfo"),
        ('urlJoin (dict "host" 1)', "must be of type string, but int found"),
        ('urlJoin (dict "userinfo" "a b")', "unable to parse userinfo"),
    ],
)
def test_errors(expression: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=re.escape(message)):
        printed(expression)
