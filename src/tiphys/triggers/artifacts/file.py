"""A manifest in a file where the sensor runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import Field

from tiphys.errors import TriggerError
from tiphys.manifests.common import Block
from tiphys.triggers.artifacts._limits import MAX_BYTES, too_large


class FileArtifact(Block):
    """A file."""

    path: str = Field("", description="Path of the file.")


async def read(artifact: FileArtifact) -> bytes:
    """The content of the file.  Raises :exc:`TriggerError`."""
    return await asyncio.to_thread(_read, artifact.path)


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise TriggerError(f"cannot read the file {path!r}: {error}") from error
    if len(content) > MAX_BYTES:
        raise too_large(f"the file {path!r}")
    return content
