"""sprig's regular expressions, in RE2's syntax."""

from __future__ import annotations

from tiphys.languages import regexp
from tiphys.languages._errors import CompileError, EvaluationError, LimitExceeded
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.limits import MAX_TEXT, check_text
from tiphys.languages.template.values import NilStrings, Strings

__all__ = ["FUNCTIONS", "MAX_MATCHES"]

MAX_MATCHES = 100_000
"""Matches that one call of a function looks at."""


def _compile(pattern: str) -> regexp.Regexp:
    try:
        return regexp.compile(pattern)
    except CompileError as error:
        raise EvaluationError(error.message) from None


def _match(pattern: str, text: str) -> bool:
    return _compile(pattern).search(text)


def _lenient_match(pattern: str, text: str) -> bool:
    """False where the pattern is broken."""
    try:
        return _match(pattern, text)
    except EvaluationError:
        return False


def _find(pattern: str, text: str) -> str:
    found = _compile(pattern).find(text)
    return (found.groups[0] or "") if found else ""


def _find_all(pattern: str, text: str, limit: int) -> Strings:
    compiled = _compile(pattern)
    _count_matches(compiled, text)
    found = compiled.find_all(text, limit)
    return Strings(match.groups[0] or "" for match in found) if found else NilStrings()


def _replace(pattern: str, text: str, template: str) -> str:
    """Replace all matches; *template* may refer to groups: ``${1}``, ``$name``."""
    compiled = _compile(pattern)
    _check_size(compiled, text, template, template.count("$") * len(text))
    return compiled.replace_all(text, template)


def _replace_literal(pattern: str, text: str, replacement: str) -> str:
    compiled = _compile(pattern)
    _check_size(compiled, text, replacement, 0)
    return compiled.replace_all_literal(text, replacement)


def _split(pattern: str, text: str, limit: int) -> Strings:
    compiled = _compile(pattern)
    _count_matches(compiled, text)
    return Strings(compiled.split(text, limit)) if limit != 0 else NilStrings()


def _check_size(compiled: regexp.Regexp, text: str, replacement: str, groups: int) -> None:
    """See that replacing all matches does not make too long a text."""
    check_text(groups)
    matches = _count_matches(compiled, text, len(replacement))
    check_text(len(text) + matches * len(replacement) + groups)


def _count_matches(compiled: regexp.Regexp, text: str, size: int = 0) -> int:
    """
    How many matches there are; raises LimitExceeded for too many.

    They are not counted, and none is reported, where neither their number nor *size* characters
    for each of them can be too much.
    """
    if len(text) < MAX_MATCHES and (len(text) + 1) * size < MAX_TEXT:
        return 0
    matches = len(compiled.find_all(text, MAX_MATCHES + 1))
    if matches > MAX_MATCHES:
        raise LimitExceeded(f"a regular expression matched more than {MAX_MATCHES} times")
    return matches


FUNCTIONS: dict[str, Function] = {
    "mustRegexFind": function("string string", _find),
    "mustRegexFindAll": function("string string int", _find_all),
    "mustRegexMatch": function("string string", _match),
    "mustRegexReplaceAll": function("string string string", _replace),
    "mustRegexReplaceAllLiteral": function("string string string", _replace_literal),
    "mustRegexSplit": function("string string int", _split),
    "regexFind": function("string string", _find),
    "regexFindAll": function("string string int", _find_all),
    "regexMatch": function("string string", _lenient_match),
    "regexQuoteMeta": function("string", regexp.quote_meta),
    "regexReplaceAll": function("string string string", _replace),
    "regexReplaceAllLiteral": function("string string string", _replace_literal),
    "regexSplit": function("string string int", _split),
}
