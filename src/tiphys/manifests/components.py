"""What lint must know of the components, which live in layers above the manifests."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from tiphys.manifests.common import SourceConfig, TriggerConfig
from tiphys.manifests.known import Replicas


class Components(Protocol):
    """
    The event sources and triggers that this version has.

    Where a component needs a module that is not installed, the methods that take a key raise
    :exc:`tiphys.errors.MissingExtraError`.
    """

    def source_keys(self) -> Collection[str]:
        """The event types that there are."""
        ...

    def source_model(self, key: str) -> type[SourceConfig]:
        """The model of one event's options."""
        ...

    def source_replicas(self, key: str) -> Replicas:
        """May several replicas run at once?"""
        ...

    def check_source(self, key: str, config: Any) -> list[str]:
        """What is wrong with *config* beyond its types, a sentence each."""
        ...

    def trigger_keys(self) -> Collection[str]:
        """The trigger types that there are."""
        ...

    def trigger_model(self, key: str) -> type[TriggerConfig]:
        """The model of a trigger's options."""
        ...

    def check_trigger(self, key: str, config: Any) -> list[str]:
        """What is wrong with *config* beyond its types, a sentence each."""
        ...
