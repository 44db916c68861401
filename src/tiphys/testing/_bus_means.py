"""What the contract of a bus needs of the bus under test."""

from __future__ import annotations

import abc
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tiphys.bus import Bus


class BusMeans(abc.ABC):
    """How to make a bus, another client of it, and trouble."""

    @pytest.fixture
    @abc.abstractmethod
    def bus(self) -> Any:
        """A fixture: an empty bus, started; closed after the test."""

    @abc.abstractmethod
    async def another(self, bus: Bus) -> Bus:
        """A second client of the same bus, started; the fixture closes it."""

    @abc.abstractmethod
    def without_link(self, bus: Bus) -> AbstractAsyncContextManager[None]:
        """The link is down inside, and able to come back by itself from the end on."""
