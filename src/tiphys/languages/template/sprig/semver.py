"""``semver`` and ``semverCompare``: versions, and constraints such as ``^1.2`` or ``>=1, <2``."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from tiphys.languages._errors import EvaluationError
from tiphys.languages.regexp import Regexp
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.sprig.versions import Version, compare_prereleases

__all__ = ["FUNCTIONS"]

_NUMBER = r"[0-9|x|X|\*]+"
_VERSION = (
    rf"v?({_NUMBER})(\.{_NUMBER})?(\.{_NUMBER})?"
    r"(-[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*)?"
    r"(?:\+[0-9A-Za-z\-]+(?:\.[0-9A-Za-z\-]+)*)?"
)
_OPERATOR = r"(=||!=|>|<|>=|=>|<=|=<|~|~>|\^)"  # with an empty alternative, second to =
_RANGE = Regexp(rf"\s*({_VERSION})\s+-\s+({_VERSION})\s*")
_ONE = Regexp(rf"^\s*{_OPERATOR}\s*({_VERSION})\s*$")
_EACH = Regexp(rf"{_OPERATOR}\s*({_VERSION})")
_ALL = Regexp(rf"^(\s*{_OPERATOR}\s*({_VERSION})\s*)((?:\s+|,\s*){_OPERATOR}\s*({_VERSION})\s*)*$")
_SECOND_OF_RANGE = 6  # the group of its second version
_WILDCARDS = ("x", "X", "*", "")


@dataclasses.dataclass(frozen=True, slots=True)
class _Constraint:
    """
    One comparison with *version*.

    *parts* tells how many numbers come before the first wildcard or missing one, 3 at most.
    """

    operator: str
    version: Version
    parts: int

    @classmethod
    def parse(cls, text: str) -> _Constraint:
        match = _ONE.find(text)
        if match is None:
            raise EvaluationError(f"improper constraint: {text}")
        operator, version, major, minor, patch, prerelease = (
            group or "" for group in match.groups[1:7]
        )
        if major in _WILDCARDS:
            parts, version = 0, f"0.0.0{prerelease}"
        elif minor.removeprefix(".") in _WILDCARDS:
            parts, version = 1, f"{major}.0.0{prerelease}"
        elif patch.removeprefix(".") in _WILDCARDS:
            parts, version = 2, f"{major}{minor}.0{prerelease}"
        else:
            parts = 3
        try:
            return cls(operator, Version.parse(version), parts)
        except EvaluationError:
            raise EvaluationError("constraint parser error") from None

    def holds(self, version: Version, prereleases: bool) -> bool:
        """Whether *version* fulfils it; prereleases only do where *prereleases* is true."""
        if version.prerelease and not prereleases:
            return False
        return _CHECKS[self.operator](self, version)


def _differs(constraint: _Constraint, version: Version) -> bool:
    wanted = constraint.version
    if constraint.parts == 3:
        return version.compare(wanted) != 0
    if wanted.major != version.major:
        return True
    if constraint.parts == 1:
        return False
    if wanted.minor != version.minor or (constraint.parts == 0 and wanted.patch != version.patch):
        return True
    if constraint.parts == 2:
        return compare_prereleases(version.prerelease, wanted.prerelease) != 0
    return version.compare(wanted) != 0


def _is_greater(constraint: _Constraint, version: Version) -> bool:
    """``>1`` means 2 and up, ``>1.2`` means 1.3 and up."""
    wanted = constraint.version
    if constraint.parts in (1, 2) and version.major != wanted.major:
        return version.major > wanted.major
    if constraint.parts == 1:
        return False
    if constraint.parts == 2:
        return version.minor > wanted.minor
    return version.compare(wanted) > 0


def _is_at_most(constraint: _Constraint, version: Version) -> bool:
    """``<=1`` includes all of 1, ``<=1.2`` all of 1.2."""
    wanted = constraint.version
    if constraint.parts == 3:
        return version.compare(wanted) <= 0
    if version.major != wanted.major or constraint.parts == 1:
        return version.major <= wanted.major
    return version.minor <= wanted.minor


def _is_close(constraint: _Constraint, version: Version) -> bool:
    """``~1.2.3`` allows other patches, ``~1`` other minors too."""
    wanted = constraint.version
    if version.compare(wanted) < 0:
        return False
    if wanted.numbers == (0, 0, 0) and constraint.parts in (0, 3):
        return True
    if version.major != wanted.major:
        return False
    return version.minor == wanted.minor or constraint.parts == 1


def _is_equal(constraint: _Constraint, version: Version) -> bool:
    if constraint.parts < 3:
        return _is_close(constraint, version)
    return version.compare(constraint.version) == 0


def _is_compatible(constraint: _Constraint, version: Version) -> bool:
    """``^1.2.3`` allows whatever leaves the first number that is not zero."""
    wanted = constraint.version
    if version.compare(wanted) < 0:
        return False
    if wanted.major > 0 or constraint.parts == 1:
        return version.major == wanted.major
    if version.major > 0:
        return False
    if wanted.minor > 0 or constraint.parts == 2:
        return version.minor == wanted.minor
    return version.minor == 0 and version.patch == wanted.patch


_CHECKS: dict[str, Callable[[_Constraint, Version], bool]] = {
    "": _is_equal,
    "=": _is_equal,
    "!=": _differs,
    ">": _is_greater,
    "<": lambda constraint, version: version.compare(constraint.version) < 0,
    ">=": lambda constraint, version: version.compare(constraint.version) >= 0,
    "=>": lambda constraint, version: version.compare(constraint.version) >= 0,
    "<=": _is_at_most,
    "=<": _is_at_most,
    "~": _is_close,
    "~>": _is_close,
    "^": _is_compatible,
}


@functools.lru_cache(maxsize=128)
def _parse(text: str) -> tuple[tuple[_Constraint, ...], ...]:
    """Alternatives separated by ``||``, each a list of constraints that must all hold."""
    for match in _RANGE.find_all(text):
        whole, low, high = (match.groups[group] or "" for group in (0, 1, _SECOND_OF_RANGE))
        text = text.replace(whole, f">= {low}, <= {high} ", 1)
    return tuple(map(_parse_alternative, text.split("||")))


def _parse_alternative(text: str) -> tuple[_Constraint, ...]:
    if not _ALL.search(text):
        raise EvaluationError(f"improper constraint: {text}")
    return tuple(_Constraint.parse(match.groups[0] or "") for match in _EACH.find_all(text))


def _compare(constraint: str, text: str) -> bool:
    """
    Whether a version fulfils a constraint.

    Prereleases do so only where a constraint of the same alternative names one.
    """
    alternatives = _parse(constraint)
    version = Version.parse(text)
    for constraints in alternatives:
        prereleases = any(constraint.version.prerelease for constraint in constraints)
        if all(constraint.holds(version, prereleases) for constraint in constraints):
            return True
    return False


FUNCTIONS: dict[str, Function] = {
    "semver": function("string", Version.parse),
    "semverCompare": function("string string", _compare),
}
