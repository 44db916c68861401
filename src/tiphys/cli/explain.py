"""``tiphys explain``: the page of an event source or trigger."""

from __future__ import annotations

import difflib
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown

from tiphys.errors import UnknownComponentError
from tiphys.registry import module_name

KINDS = ("sources", "triggers")


def explain(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Manifest key, such as webhook or http.")
    ],
    trigger: Annotated[
        bool, typer.Option("--trigger", help="The trigger, where a source has the same name.")
    ] = False,
) -> None:
    """Show options, an example manifest and the shape of the events."""
    text = page(name, ("triggers",) if trigger else KINDS)
    if sys.stdout.isatty():
        Console().print(Markdown(text))
    else:
        typer.echo(text)


def page(name: str, kinds: tuple[str, ...] = KINDS) -> str:
    """
    The page of the component with that manifest key.

    Raises :exc:`UnknownComponentError` with the nearest name.
    """
    stem = module_name(name).replace("_", "-")
    for kind in kinds:
        path = _folder(kind) / f"{stem}.md"
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            return text.replace("<!-- options -->\n", "").replace("<!-- /options -->\n", "")
    known = sorted({path.stem for kind in kinds for path in _folder(kind).glob("*.md")})
    near = difflib.get_close_matches(stem, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
    raise UnknownComponentError(f"there is no page on {name!r}{hint}")


def _folder(kind: str) -> Path:
    """The pages: inside an installed package, or beside the sources of a checkout."""
    installed = Path(str(resources.files("tiphys"))) / "pages" / kind
    return installed if installed.is_dir() else Path(__file__).parents[3] / "docs" / kind
