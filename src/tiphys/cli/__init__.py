"""
The command line.

A command is one module of this package, named after it, with a function of the same name (or,
where it has commands of its own, a ``typer.Typer`` called ``app``).  It is imported when it is
called, so that ``tiphys --help`` is quick; one line in :data:`COMMANDS` registers it.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from tiphys.errors import TiphysError

COMMANDS = {
    "run": "Run everything in these files and folders.",
    "lint": "Check manifests.",
    "test": "Run unit tests for manifests.",
    "render": "Show what a trigger would send, and why, without sending it.",
    "eval": "Evaluate one expression on one document.",
    "diff": "Compare what two versions of sensors do about events.",
    "schema": "Print the JSON schema of the manifests, for editors.",
    "explain": "Show the options of an event source or trigger, with an example.",
    "send": "Put a test event on the bus of a running instance.",
    "events": "List, follow and record the events on the bus.",
    "trace": "What happened to an event, and why.",
    "deadletters": "Actions that failed for good: list, show, replay, discard.",
    "replay": "Send archived events through sensors again.",
    "pause": "Let a sensor, or one of its triggers, take no more events.",
    "resume": "Let what was paused go on with its backlog.",
}


class _Later(TyperCommand):
    """A command that is imported when it is called."""

    def make_context(
        self, info_name: Any, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Hand over to the real command."""
        return _command(self.name or "").make_context(info_name, args, parent, **extra)


class _Commands(TyperGroup):
    """The commands of :data:`COMMANDS`, in that order."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {name: _Later(name, help=text) for name, text in COMMANDS.items()}


def _command(name: str) -> Any:
    """The real command, from its module."""
    module_name = name.replace("-", "_")
    module = importlib.import_module(f"tiphys.cli.{module_name}")
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(getattr(module, module_name))
    command = typer.main.get_command(app)
    command.name = name
    return command


app = typer.Typer(
    cls=_Commands,
    help="Argo Events pipelines, with or without Kubernetes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"tiphys {version('tiphys')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """The program: prints one clear line for every error that a user can do something about."""
    try:
        app(prog_name="tiphys")
    except TiphysError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
