"""A Kubernetes API server for tests: faithful where clients can see it, and in this process."""

from tiphys.testing.kubernetes._server import APIServer

__all__ = ["APIServer"]
