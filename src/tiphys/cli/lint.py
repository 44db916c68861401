"""``tiphys lint``: everything that is wrong with manifests, without running them."""

from __future__ import annotations

import collections
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from tiphys.manifests.findings import Finding
from tiphys.manifests.lint import in_order
from tiphys.manifests.lint import lint as find
from tiphys.manifests.loader import Loaded, load
from tiphys.runtime.components import InstalledComponents

_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}
_GITHUB = {"error": "error", "warning": "warning", "note": "notice"}


Format = Literal["text", "json", "github"]


def lint(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Files, directories, or - for standard input."),
    ],
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = "text",
    portable: Annotated[
        bool, typer.Option("--portable", help="Refuse what Argo Events does not know.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings count as errors.")] = False,
) -> None:
    """
    Check manifests.

    Exit status: 0 nothing is wrong (there may be warnings), 1 something is, 2 a path cannot be
    read.
    """
    loaded = load(paths)
    findings = in_order(
        [
            *loaded.findings,
            *find(loaded, InstalledComponents(), strict=True, portable=portable),
        ],
        loaded.files,
    )
    if output == "json":
        typer.echo(json.dumps([_as_json(finding) for finding in findings], indent=2))
    elif output == "github":
        for finding in findings:
            typer.echo(_as_annotation(finding))
    else:
        _print_text(findings, loaded)
    raise typer.Exit(_status(findings, strict))


def _status(findings: Sequence[Finding], strict: bool) -> int:
    if any(finding.rule == "unreadable" for finding in findings):
        return 2
    bad = {"error", "warning"} if strict else {"error"}
    return 1 if any(finding.severity in bad for finding in findings) else 0


def _as_json(finding: Finding) -> dict[str, str | int | None]:
    return {
        "severity": finding.severity,
        "rule": finding.rule,
        "message": finding.message,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "path": finding.path,
        "hint": finding.hint,
    }


def _as_annotation(finding: Finding) -> str:
    """A workflow command that GitHub shows beside the line."""
    properties = {
        "file": finding.file,
        "line": finding.line,
        "col": finding.column,
        "title": finding.path,
    }
    given = ",".join(
        f"{name}={_escaped(str(value), ':,')}" for name, value in properties.items() if value
    )
    text = f"{finding.message} ({finding.hint})" if finding.hint else finding.message
    return f"::{_GITHUB[finding.severity]} {given}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    for character in f"%\r\n{more}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _print_text(findings: Sequence[Finding], loaded: Loaded) -> None:
    colour = False if os.environ.get("NO_COLOR") else None  # None: on a terminal
    for finding in findings:
        typer.echo(_line(finding), color=colour)
        if finding.path:
            typer.secho(f"    at {finding.path}", dim=True, color=colour)
        if finding.hint:
            typer.echo(f"    hint: {finding.hint}")
    typer.echo(_summary(findings, loaded))


def _line(finding: Finding) -> str:
    place = ":".join(str(part) for part in (finding.file, finding.line, finding.column) if part)
    severity = typer.style(finding.severity, fg=_COLOURS[finding.severity], bold=True)
    return f"{typer.style(place, bold=True)}: {severity}: {finding.message} [{finding.rule}]"


def _summary(findings: Sequence[Finding], loaded: Loaded) -> str:
    objects = len(loaded.objects) + len(loaded.damaged)
    looked = f"{_counted(len(loaded.files), 'file')}, {_counted(objects, 'object')}"
    counts = collections.Counter(finding.severity for finding in findings)
    found = [
        _counted(counts[severity], severity)
        for severity in ("error", "warning", "note")
        if counts[severity]
    ]
    return f"{looked}: {', '.join(found) or 'nothing to complain about'}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
