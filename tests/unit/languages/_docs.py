"""The examples in the pages about languages: fenced blocks marked ``example``, written in YAML."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

PAGES = Path(__file__).parents[3] / "docs" / "reference" / "languages"
_BLOCK = re.compile(r"^```example\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: str) -> list[dict[str, Any]]:
    """Read all examples of the page ``<page>.md``; a page without any is a mistake."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8")
    found = [YAML(typ="safe").load(block) for block in _BLOCK.findall(text)]
    assert found, f"{page}.md has no examples"
    return found


def shown(part: object) -> str:
    """How a test's name shows a parameter: the same in every process."""
    return part.__name__ if inspect.isfunction(part) else str(part)[:70]
