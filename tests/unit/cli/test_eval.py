"""``tiphys eval`` as users call it: every language, results and mistakes."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cli._calls import Call, Done

PROGRAM = Path(sysconfig.get_path("scripts")) / "tiphys"
PUSH = '{"ref": "refs/heads/main", "size": 3, "commits": [{"id": "a"}, {"id": "b"}]}'


Evaluate = Callable[..., Done]


@pytest.fixture
def evaluate(call: Call) -> Evaluate:
    """``tiphys eval`` of an expression on data."""

    def evaluated(language: str, expression: str, data: str = "", *more: str) -> Done:
        options = ["--data", data] if data else []
        return call("eval", "--lang", language, expression, *options, *more)

    return evaluated


@pytest.mark.parametrize(
    ("language", "expression", "data", "result"),
    [
        ("gjson", "ref", PUSH, '"refs/heads/main"'),
        ("gjson", "commits.#.id", PUSH, '["a","b"]'),
        ("gjson", "size", PUSH, "3"),
        ("jsonpath", "$.commits[*].id", PUSH, '["a","b"]'),
        ("jsonpath", "$..id", '{"id": 1}', "1"),
        ("template", '{{ .Input.ref | replace "refs/heads/" "" }}', PUSH, '"main"'),
        ("template", "{{ .Input }}", '"x"', '"x"'),
        ("expr", 'ref startsWith "refs/" && size > 2', PUSH, "true"),
        ("expr", "len(commits)", PUSH, "2"),
        ("expr", 'with_dash == "x"', '{"with-dash": "x"}', "true"),
        ("govaluate", 'size > 2 && ref =~ "main"', PUSH, "true"),
        ("govaluate", "size / 2", PUSH, "1.5"),
        ("lua", "return event.size + 1", PUSH, "4"),
        ("lua", "event.commits = nil return event", PUSH, '{"ref":"refs/heads/main","size":3}'),
        ("lua", "return event.nothing", PUSH, "null"),
        ("jq", ".commits | length", PUSH, "2"),
        ("jq", ".commits[].id", PUSH, '"a"\n"b"'),
        ("regexp", "refs/(heads|tags)/", "refs/heads/main", '"refs/heads/"'),
        ("regexp", "^m", '"main"', '"m"'),
        ("sjson", "a", "{}", "{}"),
    ],
)
def test_the_result_is_printed_as_json(
    evaluate: Evaluate, language: str, expression: str, data: str, result: str
) -> None:
    called = evaluate(language, expression, data)

    assert (called.returncode, called.stdout) == (0, f"{result}\n")


def test_a_text_may_be_printed_raw(evaluate: Evaluate) -> None:
    assert evaluate("gjson", "ref", PUSH, "--raw").stdout == "refs/heads/main\n"
    assert evaluate("jq", ".ref", PUSH, "-r").stdout == "refs/heads/main\n"
    assert evaluate("gjson", "size", PUSH, "-r").stdout == "3\n"


@pytest.mark.parametrize(
    ("language", "expression", "data", "remark"),
    [
        ("gjson", "ref", PUSH, "type String, exists"),
        ("gjson", "commits", PUSH, "type JSON, exists"),
        ("gjson", "a", '{"a": null}', "type Null, exists"),
        ("template", "{{ .Input.nothing }}", PUSH, "a parameter or filter takes this for a"),
        ("expr", "size", PUSH, "a filter needs true or false: it drops the event"),
        ("govaluate", "size", PUSH, "a filter passes only for true"),
        ("lua", "return {}", PUSH, "type table"),
        ("jq", ".commits[]", PUSH, "a transform takes the first output"),
        ("regexp", "refs/(?P<kind>\\w+)", "refs/heads", '{"0": "refs/heads", "kind": "heads"}'),
    ],
)
def test_what_people_should_know_goes_to_standard_error(
    evaluate: Evaluate, language: str, expression: str, data: str, remark: str
) -> None:
    assert remark in evaluate(language, expression, data).stderr


@pytest.mark.parametrize(
    ("language", "expression", "remark"),
    [
        ("gjson", "nothing", "does not exist"),
        ("jsonpath", "$.nothing", "does not exist"),
        ("regexp", "zzz", "does not match"),
        ("jq", "empty", "no output"),
        ("cron", "0 0 31 2 *", "never within five years"),
    ],
)
def test_nothing_is_another_exit_status(
    evaluate: Evaluate, language: str, expression: str, remark: str
) -> None:
    called = evaluate(language, expression)

    assert (called.returncode, called.stdout, called.stderr) == (1, "", f"{remark}\n")


def test_cron_gives_the_next_five_times(evaluate: Evaluate) -> None:
    called = evaluate("cron", "30 6 * * 1-5", "2026-03-26T12:00:00Z", "--zone", "Europe/Berlin")

    assert called.stdout.splitlines() == [
        '"2026-03-27T06:30:00+01:00"',
        '"2026-03-30T06:30:00+02:00"',
        '"2026-03-31T06:30:00+02:00"',
        '"2026-04-01T06:30:00+02:00"',
        '"2026-04-02T06:30:00+02:00"',
    ]
    assert len(evaluate("cron", "* * * * *").stdout.splitlines()) == 5


def test_govaluate_takes_names_from_paths_as_filters_do(evaluate: Evaluate) -> None:
    called = evaluate("govaluate", "n > 2", PUSH, "--field", "n=commits.#", "--field", "r=ref")

    assert called.stdout == "false\n"


def test_sjson_sets_and_deletes(evaluate: Evaluate) -> None:
    assert evaluate("sjson", "a.b", '{"a": {}}', "--value", "5").stdout == '{"a": {"b":5}}\n'
    assert evaluate("sjson", "a.-1", "", "--value", "text").stdout == '{"a":["text"]}\n'
    assert evaluate("sjson", "a", '{"a": 1, "b": 2}').stdout == '{ "b": 2}\n'


@pytest.mark.parametrize(
    ("language", "expression", "message"),
    [
        ("gjson", "a" * 100_000, "error: path"),
        ("jsonpath", "$.a[", "error: JSONPath: unbalanced brackets\n  $.a[\n      ^\n"),
        ("template", "{{ nope }}", 'error: function "nope" not defined\n  {{ nope }}\n     ^\n'),
        ("expr", "a = 1", 'error: unexpected token Operator("=")\n  a = 1\n    ^\n'),
        ("govaluate", "a >> > 2", "\n  a >> > 2\n       ^\n"),
        ("lua", "local x = 1\nreturn +", "\n  return +\n         ^\n"),
        ("jq", ".a | foo", "error: function not defined: foo/0\n  .a | foo\n       ^\n"),
        ("regexp", "a(b", "error: error parsing regexp: missing closing ): `a(b`"),
        ("cron", "61 * * * *", "error: end of range (61) above maximum (59): 61\n  61 * * * *\n"),
    ],
)
def test_what_does_not_compile_is_shown_with_its_place(
    evaluate: Evaluate, language: str, expression: str, message: str
) -> None:
    called = evaluate(language, expression)

    assert (called.returncode, called.stdout) == (1, "")
    assert message in called.stderr


@pytest.mark.parametrize(
    ("language", "expression", "message"),
    [
        ("lua", "error('no')", "no"),
        ("jq", ".ref + 1", "cannot"),
        ("govaluate", "missing > 1", "missing"),
        ("expr", "ref + 1", "invalid operation"),
        ("template", "{{ index .Input.commits 9 }}", "out of range"),
        ("sjson", "commits.x", ""),
    ],
)
def test_what_fails_on_the_document_is_one_line(
    evaluate: Evaluate, language: str, expression: str, message: str
) -> None:
    called = evaluate(language, expression, PUSH, "--value", "1")

    assert called.stderr.startswith("error: ")
    assert message in called.stderr
    assert called.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gjson", "a", "{"], "the document is not JSON"),
        (["expr", "a", "[1]"], "the document is not a JSON object"),
        (["cron", "* * * * *", "soon"], "'soon' is no time such as"),
        (["gjson", "a", "@nowhere.json"], "nowhere.json cannot be read"),
        (["govaluate", "a", "{}", "--field", "a"], "--field a: write it as NAME=PATH"),
        (["govaluate", "a", "{}", "--field", "a=b"], "path 'b' does not exist"),
    ],
)
def test_a_document_that_does_not_do_is_told(
    evaluate: Evaluate, arguments: list[str], message: str
) -> None:
    called = evaluate(*arguments)

    assert called.returncode == 1
    assert called.stderr.startswith(f"error: {message}")


def test_the_installed_program_reads_files_and_standard_input(tmp_path: Path) -> None:
    (tmp_path / "push.json").write_text(PUSH)

    def run(data: str) -> str:
        return subprocess.run(
            [PROGRAM, "eval", "-l", "gjson", "ref", "-d", data],
            cwd=tmp_path,
            input=PUSH,
            capture_output=True,
            text=True,
            timeout=50,
            check=True,
            env={**os.environ, "NO_COLOR": "1"},
        ).stdout

    assert run("@push.json") == run("-") == '"refs/heads/main"\n'
