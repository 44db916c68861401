"""The only code that talks to a Kubernetes API server."""

from tiphys.kube._client import Client, Listing, Patch
from tiphys.kube._cluster import Cluster, find_cluster
from tiphys.kube._discovery import Discovery
from tiphys.kube._leases import Lease, Leases
from tiphys.kube._resources import (
    CONFIG_MAPS,
    LEASES,
    NAMESPACES,
    PODS,
    SECRETS,
    Resource,
    name_of,
    namespace_of,
)
from tiphys.kube._values import config_map_values, secret_values
from tiphys.kube._watch import Change, Watch

__all__ = [
    "CONFIG_MAPS",
    "LEASES",
    "NAMESPACES",
    "PODS",
    "SECRETS",
    "Change",
    "Client",
    "Cluster",
    "Discovery",
    "Lease",
    "Leases",
    "Listing",
    "Patch",
    "Resource",
    "Watch",
    "config_map_values",
    "find_cluster",
    "name_of",
    "namespace_of",
    "secret_values",
]
