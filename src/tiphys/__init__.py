"""Tiphys runs Argo Events pipelines in Python, with or without Kubernetes."""

__version__ = "0.1.0"
