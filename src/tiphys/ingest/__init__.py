"""The HTTP server that all push sources share: ports, routes, authentication, limits."""

from tiphys.ingest._types import Handler, Reply, Request

__all__ = ["Handler", "Reply", "Request"]
