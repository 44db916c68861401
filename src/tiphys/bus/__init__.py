"""How events travel: the contract of a bus and its drivers."""

from tiphys.bus._base import (
    Bus,
    Delivery,
    Entry,
    Journal,
    Limits,
    Record,
    State,
    Subscription,
)
from tiphys.bus._insist import insist

__all__ = [
    "Bus",
    "Delivery",
    "Entry",
    "Journal",
    "Limits",
    "Record",
    "State",
    "Subscription",
    "insist",
]
