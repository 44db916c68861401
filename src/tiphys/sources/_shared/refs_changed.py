"""
Bitbucket Server's ``repo:refs_changed``, as far as Argo Events knows it.

Events for single changes are written from this structure: members that it does not know are lost,
and those that the server left out appear with empty values (spec: event sources 7.5).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", strict=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        """A null says as little as an absent member."""
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None}


class Link(_Part):
    """Where something is on the web."""

    href: str = ""


class CloneLink(Link):
    """Where a repository can be cloned from, and how."""

    name: str = ""


class Links(_Part):
    """The places of a user or project."""

    self: list[Link] | None = None


class RepositoryLinks(_Part):
    """The places of a repository."""

    clone: list[CloneLink] | None = None
    self: list[Link] | None = None


class Actor(_Part):
    """Who made the change."""

    name: str = ""
    email_address: str = ""
    id: int = 0
    display_name: str = ""
    active: bool = False
    slug: str = ""
    type: str = ""
    links: Links = Links()


class Project(_Part):
    """What the repository belongs to."""

    key: str = ""
    id: int = 0
    name: str = ""
    public: bool = False
    type: str = ""
    links: Links = Links()


class Repository(_Part):
    """What was changed."""

    slug: str = ""
    id: int = 0
    name: str = ""
    hierarchy_id: str = ""
    scm_id: str = ""
    state: str = ""
    status_message: str = ""
    forkable: bool = False
    project: Project = Project()
    public: bool = False
    links: RepositoryLinks = RepositoryLinks()


class Ref(_Part):
    """A branch or a tag."""

    id: str = ""
    display_id: str = ""
    type: str = ""


class Change(_Part):
    """What happened to one ref."""

    ref: Ref = Ref()
    ref_id: str = ""
    from_hash: str = ""
    to_hash: str = ""
    type: str = ""

    @property
    def moves_a_branch(self) -> bool:
        """Whether a branch has a new commit at its end."""
        return self.ref.type == "BRANCH" and self.type != "DELETE"


class RefsChanged(_Part):
    """A delivery."""

    event_key: str = ""
    date: str = ""
    actor: Actor = Actor()
    repository: Repository = Repository()
    changes: list[Change] | None = None

    def only(self, change: Change) -> dict[str, Any]:
        """The delivery with a single change."""
        return self.model_copy(update={"changes": [change]}).model_dump(by_alias=True)
