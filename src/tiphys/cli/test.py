"""``tiphys test``: unit tests for manifests, without a bus."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from tiphys.cli import _test_reports as reports
from tiphys.observe import logs
from tiphys.testing.pipelines import Result, Suites

Format = Literal["text", "json", "junit"]


def test(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Test files, or folders with *.test.yaml in them."),
    ],
    output: Annotated[Format, typer.Option("--format", help="How to print.")] = "text",
    coverage: Annotated[
        bool, typer.Option("--coverage", help="List triggers and filters that no test exercises.")
    ] = False,
    matching: Annotated[
        str, typer.Option("--name", "-k", help="Only tests with this in their name.")
    ] = "",
) -> None:
    """
    Run unit tests for manifests.

    Nothing is sent and no secret is read.  Exit status: 0 all passed, 1 some did not, or there is
    none.
    """
    logs.set_up("human", "error", sys.stderr)  # the trace of a failure says what logs would
    suites = Suites(paths, matching=matching)
    started = time.perf_counter()
    results = asyncio.run(_run(suites, as_text=output == "text"))
    seconds = time.perf_counter() - started
    found = suites.coverage if coverage else None
    if output == "json":
        typer.echo(reports.as_json(results, found))
    elif output == "junit":
        typer.echo(reports.as_junit(results))
    else:
        if found is not None:
            typer.echo(reports.coverage_text(found))
        typer.echo(reports.summary(results, seconds))
    if not results or not all(result.passed for result in results):
        raise typer.Exit(1)


test.__test__ = False  # type: ignore[attr-defined]  # pytest must not take it for a test


async def _run(suites: Suites, *, as_text: bool) -> list[Result]:
    """All results; *as_text* prints each as it comes."""
    results: list[Result] = []
    async for result in suites.results():
        if as_text:
            if not results or results[-1].file != result.file:
                typer.echo(result.file)
            typer.echo(reports.text(result))
        results.append(result)
    return results
