"""Reads a manifest from its place, and from YAML or JSON into JSON (spec: triggers 3.1)."""

from __future__ import annotations

import orjson

from tiphys.aio import Backoff
from tiphys.errors import TriggerError
from tiphys.manifests import documents
from tiphys.manifests.common import ConfigMapRef
from tiphys.triggers._base import TriggerContext
from tiphys.triggers._shared.secrets import retrieving
from tiphys.triggers.artifacts import file, git, s3, url
from tiphys.triggers.artifacts._location import ArtifactLocation

REMOTE = ("s3", "url", "git")


def location_problems(location: ArtifactLocation) -> list[str]:
    """What is wrong with a location, a sentence each."""
    kind = _kind(location)
    if kind is None:
        kinds = ", ".join(ArtifactLocation.model_fields)
        return [f"unknown artifact location: source must have one of {kinds}"]
    if location.resource is not None and not location.resource.get("kind"):
        return ["source.resource has no kind"]
    if kind == "git" and location.git is not None:
        return git.problems(location.git)
    if kind == "s3" and location.s3 is not None:
        return s3.problems(location.s3)
    path = location.url or location.file
    if kind in ("url", "file") and path is not None and not path.path:
        return [f"source.{kind}.path is missing"]
    return []


async def read_manifest(
    location: ArtifactLocation, ctx: TriggerContext, *, remote: bool = True
) -> bytes:
    """
    The manifest as JSON.

    Reading over the network is tried up to five times.  Without *remote* nothing is.  Raises
    :exc:`TriggerError`.
    """
    kind = _kind(location)
    if kind is None:
        raise TriggerError("unknown artifact location: source is empty", retryable=False)
    if kind == "resource":
        return orjson.dumps(location.resource)
    if kind in REMOTE and not remote:
        raise TriggerError(f"source.{kind}: nothing is read over the network here")
    pauses = Backoff().pauses()
    while True:
        try:
            return decoded(await _read(kind, location, ctx), kind)
        except TriggerError as error:
            pause = next(pauses, None) if kind in REMOTE and error.retryable else None
            if pause is None:
                raise
            await ctx.clock.sleep(pause)


def decoded(content: bytes, kind: str) -> bytes:
    """
    The first document of a YAML or JSON text as JSON.

    Raises :exc:`TriggerError` unless it is a mapping.
    """
    text = content.decode("utf-8", "replace")
    first = next(iter(documents.read(text)), None)
    if first is not None and first.problems:
        problem = first.problems[0]
        message = f"the manifest of source.{kind}, line {problem.place.line}: {problem.message}"
        raise TriggerError(message, retryable=False)
    if first is None or not isinstance(first.data, dict):
        raise TriggerError(f"the manifest of source.{kind} is not a mapping", retryable=False)
    return orjson.dumps(first.data)


def _kind(location: ArtifactLocation) -> str | None:
    """The kind that counts; what is empty does not."""
    return next((k for k in ArtifactLocation.model_fields if getattr(location, k)), None)


async def _read(kind: str, location: ArtifactLocation, ctx: TriggerContext) -> bytes:
    match getattr(location, kind):
        case str() as text:
            return text.encode()
        case ConfigMapRef() as ref:
            with retrieving("manifest"):
                return (await ctx.config_map(ref)).encode("utf-8", "surrogateescape")
        case file.FileArtifact() as artifact:
            return await file.read(artifact)
        case url.URLArtifact() as artifact:
            return await url.read(artifact, ctx)
        case s3.S3Artifact() as artifact:
            return await s3.read(artifact, ctx)
        case git.GitArtifact() as artifact:
            return await git.read(artifact, ctx)
    raise AssertionError(kind)
