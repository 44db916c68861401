"""What a call of the program gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Done:
    """What a call printed, and its exit status."""

    returncode: int
    stdout: str
    stderr: str


Call = Callable[..., Done]
