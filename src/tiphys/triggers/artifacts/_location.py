"""The places that a manifest may come from (spec: triggers 3)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tiphys.manifests.common import Block, ConfigMapRef
from tiphys.triggers.artifacts.file import FileArtifact
from tiphys.triggers.artifacts.git import GitArtifact
from tiphys.triggers.artifacts.s3 import S3Artifact
from tiphys.triggers.artifacts.url import URLArtifact


class ArtifactLocation(Block):
    """One of these; of several the first in this order counts."""

    s3: S3Artifact | None = Field(None, description="An object in a bucket.")
    inline: str = Field("", description="The manifest itself, as text.")
    file: FileArtifact | None = Field(None, description="A file where the sensor runs.")
    url: URLArtifact | None = Field(None, description="What a web server answers.")
    git: GitArtifact | None = Field(None, description="A file in a Git repository.")
    configmap: ConfigMapRef | None = Field(None, description="Key of a ConfigMap.")
    resource: dict[str, Any] | None = Field(None, description="The manifest itself.")
