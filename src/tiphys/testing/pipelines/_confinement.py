"""Keeps manifests and tests of somebody else to the files that came with them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tiphys.errors import TriggerError
from tiphys.triggers import Trigger
from tiphys.triggers.artifacts import ArtifactLocation


def leads_out(path: Path | str, folder: Path | None) -> bool:
    """
    Whether *path* is not inside *folder*; None: everything is allowed.

    No file is opened, and the answer says nothing about whether there is one.
    """
    if folder is None:
        return False
    try:
        real = Path(os.path.realpath(path))
    except (OSError, ValueError):  # a link that may not be read, or a NUL
        return True
    return not real.is_relative_to(os.path.realpath(folder))


def unstarted(cls: type[Trigger[Any]], folder: Path | None) -> Trigger[Any]:
    """
    A trigger that is there to render only: it opens nothing, and reads files in *folder* only.

    The check comes with each action, because parameters may change where a manifest comes from.
    """

    async def fetch(self: Trigger[Any], config: Any) -> bytes | None:
        location = getattr(config, "source", None)
        if isinstance(location, ArtifactLocation) and location.file is not None:
            path = location.file.path
            if path and leads_out(path, folder):
                message = f"source.file: {path!r} leads out of the files that may be read here"
                raise TriggerError(message, retryable=False)
        try:
            return await cls.fetch(self, config)
        except AttributeError as error:  # it needs what only start() opens
            message = "what the trigger would act with comes from a server, which is not asked here"
            raise TriggerError(message, retryable=False) from error

    trigger: Trigger[Any] = type(cls.__name__, (cls,), {"fetch": fetch})()
    return trigger
