"""How long the server waits for whom."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Patience:
    """
    Times in seconds.

    *request* is how long the head of a request may take from its first byte on, and its body from
    there on; *idle* how long a connection may stay without a request, a little more than the usual
    60 seconds of load balancers, so that they close first; *again* how long a request waits for an
    endpoint that is expected to come again.
    """

    request: float = 60.0
    idle: float = 75.0
    again: float = 5.0

    @property
    def step(self) -> float:
        """How often to look at the connections."""
        return min(1.0, self.request / 4, self.idle / 4)


PATIENCE = Patience()
