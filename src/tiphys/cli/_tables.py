"""Tables in plain text, for terminals and pipes alike."""

from __future__ import annotations

import shutil
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    """*rows* in columns under *head*, the last column cut to the terminal; *empty* for none."""
    if not rows:
        return empty
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    limit = shutil.get_terminal_size((200, 24)).columns
    shown = []
    for line in lines:
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        text = "  ".join(padded).replace("\n", " ").rstrip()
        shown.append(text if len(text) <= limit else text[: limit - 1] + "…")
    return "\n".join(shown)
