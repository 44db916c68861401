"""
Event sources: one module each, named after the manifest key.

A source turns one block of a manifest into an endless stream of :class:`Incoming`.
Publishing, retries, filters, metadata, metrics, and logging around it belong to the runtime.
"""

from tiphys.sources._base import (
    AnySource,
    Incoming,
    PushSource,
    SecretStore,
    Source,
    SourceContext,
    Store,
    source,
    sources,
)

__all__ = [
    "AnySource",
    "Incoming",
    "PushSource",
    "SecretStore",
    "Source",
    "SourceContext",
    "Store",
    "source",
    "sources",
]
