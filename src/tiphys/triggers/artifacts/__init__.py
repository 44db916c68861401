"""Where the manifests that triggers act with come from: one module for each kind of place."""

from tiphys.triggers.artifacts._location import ArtifactLocation
from tiphys.triggers.artifacts._reader import location_problems, read_manifest

__all__ = ["ArtifactLocation", "location_problems", "read_manifest"]
