"""Tells the manifests layer which components there are."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tiphys.manifests.common import SourceConfig, TriggerConfig
from tiphys.manifests.known import Replicas
from tiphys.sources import sources
from tiphys.triggers import triggers


class InstalledComponents:
    """
    The event sources and triggers in the registries, as lint wants to know them.

    The methods that take a key import the component and raise
    :exc:`tiphys.errors.MissingExtraError` where it needs a module that is not installed.
    """

    def __init__(self) -> None:
        self._sources = frozenset(sources.names())
        self._triggers = frozenset(triggers.names())

    def source_keys(self) -> Collection[str]:
        """The event types that there are."""
        return self._sources

    def source_model(self, key: str) -> type[SourceConfig]:
        """The model of one event's options."""
        return sources.get(key).Config

    def source_replicas(self, key: str) -> Replicas:
        """May several replicas run at once?"""
        return sources.get(key).replicas

    def check_source(self, key: str, config: Any) -> list[str]:
        """What is wrong with *config* beyond its types, a sentence each."""
        return sources.get(key)(config).check()

    def trigger_keys(self) -> Collection[str]:
        """The trigger types that there are."""
        return self._triggers

    def trigger_model(self, key: str) -> type[TriggerConfig]:
        """The model of a trigger's options."""
        return triggers.get(key).Config

    def check_trigger(self, key: str, config: Any) -> list[str]:
        """What is wrong with *config* beyond its types, a sentence each."""
        return triggers.get(key).check(config)
