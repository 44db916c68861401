"""``tiphys eval``: one expression on one document."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tiphys.cli._languages import LANGUAGES, Evaluation, Language, Options
from tiphys.errors import TiphysError
from tiphys.languages import CompileError, LanguageError


def eval(
    expression: Annotated[str, typer.Argument(metavar="EXPRESSION", help="What to evaluate.")],
    language: Annotated[
        Language, typer.Option("--lang", "-l", help="The language of the expression.")
    ],
    data: Annotated[
        str,
        typer.Option("--data", "-d", metavar="JSON|@FILE", help="The document; - reads it here."),
    ] = "",
    raw: Annotated[bool, typer.Option("--raw", "-r", help="Print a text without quotes.")] = False,
    value: Annotated[
        str | None, typer.Option(metavar="JSON", help="What sjson sets; without it, it deletes.")
    ] = None,
    zone: Annotated[str, typer.Option(help="Time zone of a cron expression.")] = "",
    fields: Annotated[
        list[str] | None,
        typer.Option("--field", metavar="NAME=PATH", help="A name that govaluate knows."),
    ] = None,
) -> None:
    """
    Evaluate an expression of a manifest, and print the result as JSON.

    gjson and jsonpath: paths of filters and parameters. template: `dataTemplate`, the document is
    `.Input`. expr: `filter.expression` of event sources. govaluate: `expr` of filters, which knows
    the members of the document. lua: `script`, the document is `event`. jq: `jq` of transforms.
    regexp: `value` of a filter, on the text of the document. sjson: `dest` of parameters. cron: the
    next five times, after the time in the document or now.
    """
    options = Options(value=value, zone=zone, fields=fields or [])
    try:
        found = LANGUAGES[language](expression, _document(data), options)
    except CompileError as error:
        raise TiphysError(_with_place(error, expression)) from error
    except LanguageError as error:
        raise TiphysError(str(error)) from error
    _print(found, raw=raw)


def _print(found: Evaluation, *, raw: bool) -> None:
    for line in found.results:
        typer.echo(line.text if raw and line.text is not None else line.json)
    if found.remark:
        typer.secho(found.remark, err=True, dim=True)
    if not found.exists:
        raise typer.Exit(1)


def _document(data: str) -> str:
    """The text of the document.  Raises :exc:`TiphysError`."""
    if data == "-":
        return sys.stdin.read()
    if not data.startswith("@"):
        return data
    try:
        return Path(data[1:]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise TiphysError(f"{data[1:]} cannot be read: {error}") from error


def _with_place(error: CompileError, expression: str) -> str:
    """The message above the line of the expression, with a caret below what is wrong."""
    text = error.expression or expression
    if error.position is None or error.position > len(text):
        return str(error)
    start = text.rfind("\n", 0, error.position) + 1
    line = text[start:].partition("\n")[0]
    before = "".join(c if c == "\t" else " " for c in line[: error.position - start])
    return f"{error.message}\n  {line}\n  {before}^"
