"""What a filter says about an event, and how the verdicts of its parts are joined."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeVar

from tiphys.languages import CompileError, LanguageError

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """
    Whether an event passed.

    *error* is set when the filter could not be applied; such an event never passes.  *reason*
    says in words why an event did not pass.
    """

    passed: bool
    error: str = ""
    reason: str = ""


PASSED = Verdict(True)


def compiled_or_error(make: Callable[[], T]) -> T | CompileError:
    """What *make* builds, or its error: a broken part must not hide the verdicts of the others."""
    try:
        return make()
    except LanguageError as error:
        return error if isinstance(error, CompileError) else CompileError(str(error))


def join(kind: str, any_of: bool, verdicts: Iterable[Verdict]) -> Verdict:
    """
    Join the verdicts of the entries of one kind, in order (spec: sensors 5.4).

    Stops at the first entry that decides.  Under "any of", errors count only when no entry
    passes.
    """
    errors: list[str] = []
    reasons: list[str] = []
    for verdict in verdicts:
        if verdict.error:
            if not any_of:
                return Verdict(False, f"{kind} filter error ({verdict.error})")
            errors.append(verdict.error)
        elif verdict.passed:
            if any_of:
                return PASSED
        elif any_of:
            reasons.append(verdict.reason)
        else:
            return verdict
    if errors:
        return Verdict(False, f"{kind} filter errors [{' / '.join(errors)}]")
    return Verdict(False, reason="; ".join(reasons)) if any_of else PASSED
