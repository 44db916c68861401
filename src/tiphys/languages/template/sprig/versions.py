"""Semantic versions: reading, order, and the methods that templates can call."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from tiphys.languages._errors import EvaluationError
from tiphys.languages.template.fields import register_methods
from tiphys.languages.template.functions import Parameter, function, register_parameter
from tiphys.languages.template.json_text import register_json
from tiphys.languages.template.printing import register_display
from tiphys.languages.template.values import GoType, Uint64, Value, register
from tiphys.languages.template.verbs import register_fields

__all__ = ["PlainVersion", "Version", "compare_prereleases"]

_VERSION = re.compile(
    r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
    r"(?:\+([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?"
)
_IDENTIFIERS = re.compile(r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*")
_LIMIT = 1 << 64
_MOST_DIGITS = 20  # of a number below that


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A version as ``semver`` returns it; *original* is the text that it was read from."""

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    metadata: str = ""
    original: str = ""

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read *text*; minor and patch may be absent. Raises EvaluationError."""
        match = _VERSION.fullmatch(text)
        if match is None:
            raise EvaluationError("invalid semantic version")
        major, minor, patch = map(_number, match.groups("0")[:3])
        prerelease = match[4] or ""
        _check_prerelease(prerelease)
        return cls(major, minor, patch, prerelease, match[5] or "", text)

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        if self.prerelease:
            text += f"-{self.prerelease}"
        return f"{text}+{self.metadata}" if self.metadata else text

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Major, minor and patch."""
        return self.major, self.minor, self.patch

    def compare(self, other: Version) -> int:
        """-1, 0 or 1 by precedence, in which metadata does not count."""
        if self.numbers != other.numbers:
            return 1 if self.numbers > other.numbers else -1
        if not self.prerelease or not other.prerelease:
            return bool(other.prerelease) - bool(self.prerelease)
        return compare_prereleases(self.prerelease, other.prerelease)


class PlainVersion(Version):
    """A version as its own methods return it: a value, not a pointer, in Go."""

    __slots__ = ()


def compare_prereleases(left: str, right: str) -> int:
    """-1, 0 or 1 by precedence of prereleases: part for part, numbers before words."""
    ours, theirs = left.split("."), right.split(".")
    for index in range(max(len(ours), len(theirs))):
        one = ours[index] if index < len(ours) else ""
        two = theirs[index] if index < len(theirs) else ""
        if one != two:
            return 1 if _rank(one) > _rank(two) else -1
    return 0


def _rank(part: str) -> tuple[int, int, str]:
    """What orders the parts of prereleases: absent ones, then numbers, then words."""
    if not part:
        return 0, 0, ""
    if part.isdigit() and len(part) <= _MOST_DIGITS and int(part) < _LIMIT:
        return 1, int(part), ""
    return 2, 0, part


def _number(digits: str) -> int:
    significant = digits.lstrip("0") or "0"
    number = int(significant) if len(significant) <= _MOST_DIGITS else _LIMIT
    if number >= _LIMIT:
        raise EvaluationError("error parsing version segment: value out of range")
    return number


def _check_prerelease(text: str) -> None:
    if any(part.isdigit() and len(part) > 1 and part[0] == "0" for part in text.split(".")):
        raise EvaluationError("version segment starts with 0")


def _next(version: Version, **changes: Any) -> PlainVersion:
    """A changed version, whose text keeps a leading ``v``."""
    values = {field.name: getattr(version, field.name) for field in dataclasses.fields(version)}
    changed = PlainVersion(**{**values, **changes})
    prefix = "v" if version.original.startswith("v") else ""
    return PlainVersion(**{**values, **changes, "original": f"{prefix}{changed}"})


def _next_patch(version: Version) -> PlainVersion:
    patch = version.patch if version.prerelease else version.patch + 1
    return _next(version, patch=patch, prerelease="", metadata="")


def _next_minor(version: Version) -> PlainVersion:
    return _next(version, minor=version.minor + 1, patch=0, prerelease="", metadata="")


def _next_major(version: Version) -> PlainVersion:
    return _next(version, major=version.major + 1, minor=0, patch=0, prerelease="", metadata="")


def _with_prerelease(version: Version, text: str) -> PlainVersion:
    if text and not _IDENTIFIERS.fullmatch(text):
        raise EvaluationError("invalid prerelease string")
    _check_prerelease(text)
    return _next(version, prerelease=text)


def _with_metadata(version: Version, text: str) -> PlainVersion:
    if text and not _IDENTIFIERS.fullmatch(text):
        raise EvaluationError("invalid metadata string")
    return _next(version, metadata=text)


def _fields(version: Version) -> dict[str, Value]:
    """The members of the struct that a version is in Go."""
    return {
        "major": Uint64(version.major),
        "minor": Uint64(version.minor),
        "patch": Uint64(version.patch),
        "pre": version.prerelease,
        "metadata": version.metadata,
        "original": version.original,
    }


_VALUE_METHODS = {
    "IncMajor": function("", _next_major),
    "IncMinor": function("", _next_minor),
    "IncPatch": function("", _next_patch),
    "Major": function("", lambda version: Uint64(version.major)),
    "Metadata": function("", lambda version: version.metadata),
    "Minor": function("", lambda version: Uint64(version.minor)),
    "Patch": function("", lambda version: Uint64(version.patch)),
    "Prerelease": function("", lambda version: version.prerelease),
    "SetMetadata": function("string", _with_metadata),
    "SetPrerelease": function("string", _with_prerelease),
    "String": function("", str),
    "Value": function("", str),
}

register(Version, GoType("*semver.Version", "ptr"))
register(PlainVersion, GoType("semver.Version", "struct"))
register_parameter("version", Parameter("*semver.Version", (Version,)))
for _type in (Version, PlainVersion):
    register_display(_type, str)
    register_json(_type, str)
    register_fields(_type, _fields)
register_methods(PlainVersion, _VALUE_METHODS)
register_methods(
    Version,
    {
        **_VALUE_METHODS,
        "Compare": function("version", Version.compare),
        "Equal": function("version", lambda one, two: one.compare(two) == 0),
        "GreaterThan": function("version", lambda one, two: one.compare(two) > 0),
        "GreaterThanEqual": function("version", lambda one, two: one.compare(two) >= 0),
        "LessThan": function("version", lambda one, two: one.compare(two) < 0),
        "LessThanEqual": function("version", lambda one, two: one.compare(two) <= 0),
        "Original": function("", lambda version: version.original),
    },
)
