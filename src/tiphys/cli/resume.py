"""``tiphys resume``: let what was paused go on."""

from __future__ import annotations

from tiphys.cli._client import APIOption
from tiphys.cli.pause import Namespace, Target, change


def resume(target: Target, namespace: Namespace = "", api: APIOption = None) -> None:
    """Let a paused sensor, or one of its triggers, go on with its backlog."""
    change("resume", target, namespace, api)
