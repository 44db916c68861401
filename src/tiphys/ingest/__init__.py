"""The HTTP server that all push sources share: ports, routes, authentication, limits."""

from tiphys.ingest._admission import OPEN, Admission
from tiphys.ingest._patience import Patience
from tiphys.ingest._types import Handler, Refused, Reply, Request
from tiphys.ingest.server import IngestServer, Mount, parse_port
from tiphys.ingest.tls import ServerTLS, server_tls

__all__ = [
    "OPEN",
    "Admission",
    "Handler",
    "IngestServer",
    "Mount",
    "Patience",
    "Refused",
    "Reply",
    "Request",
    "ServerTLS",
    "parse_port",
    "server_tls",
]
