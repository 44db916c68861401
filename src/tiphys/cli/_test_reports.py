"""The results of `tiphys test` for people, for programs, and for what reads JUnit files."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from xml.etree import ElementTree

import typer

from tiphys.testing.pipelines import Coverage, Failure, Result, results_as_json

_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def text(result: Result) -> str:
    """One result for people: a line; below one that did not pass, what was wrong and the trace."""
    if result.passed:
        return f"  {typer.style('ok', fg='green')}    {result.name}"
    lines = [f"  {typer.style('FAIL', fg='red', bold=True)}  {result.name} (line {result.line})"]
    for failure in result.failures:
        lines.append(f"    {failure.message}")
        if failure.details:
            lines.append(textwrap.indent(_coloured(failure), "      "))
    if result.trace:
        lines += ["    what happened:", textwrap.indent(result.trace, "      ")]
    return "\n".join(lines)


def summary(results: Sequence[Result], seconds: float) -> str:
    """How many passed and how many did not."""
    passed = sum(result.passed for result in results)
    broken = sum(result.broken for result in results)
    failed = len(results) - passed - broken
    counts = [f"{passed} passed"]
    if failed:
        counts.append(f"{failed} failed")
    if broken:
        counts.append(f"{broken} could not run")
    return f"{', '.join(counts)} in {seconds:.2f} s"


def coverage_text(coverage: Coverage) -> str:
    """What no test exercises, below a line of totals."""
    totals = [f"{done} of {all_} {what}" for what, (done, all_) in coverage.totals.items()]
    lines = [f"exercised: {', '.join(totals)}"]
    files = dict.fromkeys(gap.file for gap in coverage.gaps)
    for file in files:
        lines.append(f"  {file}")
        lines += [
            f"    {gap.what} {typer.style(gap.missing, fg='yellow')}"
            for gap in coverage.gaps
            if gap.file == file
        ]
    return "\n".join(lines)


def as_json(results: Sequence[Result], coverage: Coverage | None) -> str:
    """Everything as one JSON object."""
    return json.dumps(results_as_json(results, coverage), indent=2, ensure_ascii=False)


def as_junit(results: Sequence[Result]) -> str:
    """JUnit's XML, a suite for each file."""
    root = ElementTree.Element("testsuites", _counts(results))
    for file in dict.fromkeys(result.file for result in results):
        mine = [result for result in results if result.file == file]
        suite = ElementTree.SubElement(root, "testsuite", {"name": file, **_counts(mine)})
        for result in mine:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                {
                    "name": _printable(result.name),
                    "classname": file,
                    "file": file,
                    "line": str(result.line),
                    "time": f"{result.seconds:.3f}",
                },
            )
            for failure in result.failures:
                kind = "error" if result.broken else "failure"
                found = ElementTree.SubElement(case, kind, {"message": _printable(failure.message)})
                found.text = _printable("\n\n".join(filter(None, (failure.details, result.trace))))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _counts(results: Sequence[Result]) -> dict[str, str]:
    return {
        "tests": str(len(results)),
        "failures": str(sum(not r.passed and not r.broken for r in results)),
        "errors": str(sum(r.broken for r in results)),
        "time": f"{sum(r.seconds for r in results):.3f}",
    }


def _printable(content: str) -> str:
    """*content* without what XML cannot hold."""
    return _NOT_IN_XML.sub("\ufffd", content)


def _coloured(failure: Failure) -> str:
    """The details; a diff with its lines in colours."""
    if not failure.details.startswith("--- "):
        return failure.details.rstrip("\n")
    return "\n".join(
        typer.style(line, fg=_COLOURS[line[0]]) if line[:1] in _COLOURS else line
        for line in failure.details.splitlines()
    )
