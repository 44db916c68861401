"""What people and tools talk to: the HTTP API."""

from tiphys.dashboard.api import api

__all__ = ["api"]
