"""Servers that answer as the providers' public API documentation says."""
