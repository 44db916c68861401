"""
What every bus must do, as tests to inherit.

A bus' own test class derives from :class:`BusContract` and says how to make a bus.  Needs pytest,
and pytest-asyncio in its automatic mode.
"""

from __future__ import annotations

from tiphys.testing._bus_events import EventsContract
from tiphys.testing._bus_storage import StorageContract

__all__ = ["BusContract"]


class BusContract(EventsContract, StorageContract):
    """
    The contract of :class:`tiphys.bus.Bus`.

    Each test gets a bus that is started and empty from the fixture ``bus``.  Besides, the class
    must define ``another`` and ``without_link``; see :class:`tiphys.testing._bus_means.BusMeans`.
    """
