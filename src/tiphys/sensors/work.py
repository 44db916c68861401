"""A message on its way from the bus to the end of its actions."""

from __future__ import annotations

import dataclasses

from tiphys.bus import Delivery
from tiphys.sensors.state import Position


@dataclasses.dataclass(slots=True)
class Work:
    """
    A message at work.

    *delivery* is its newest copy, because only that can be acknowledged; *begun* tells that its
    actions are under way, or that there are none and it is being acknowledged.  *subscription* is
    the number of the one that it came from.
    """

    delivery: Delivery
    started: float
    event_id: str = ""
    begun: bool = False
    subscription: int = 0

    @property
    def position(self) -> Position:
        """Where the message stands in the stream."""
        return Position(self.delivery.sequence, self.delivery.published)
