"""Workflows of Argo as its own command changes them, through the Kubernetes API."""
