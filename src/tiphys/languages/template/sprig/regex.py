"""sprig's regular expressions, in RE2's syntax."""

from __future__ import annotations

from tiphys.languages import regexp
from tiphys.languages._errors import CompileError, EvaluationError
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.limits import MAX_TEXT, check_items, check_text
from tiphys.languages.template.values import NilStrings, Strings

__all__ = ["FUNCTIONS"]


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
    found = _compile(pattern).find_all(text, limit)
    check_items(len(found))
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


def _check_size(compiled: regexp.Regexp, text: str, replacement: str, groups: int) -> None:
    """Count the matches before they are replaced, where many could make too long a text."""
    if (len(text) + 1) * len(replacement) + groups > MAX_TEXT:
        matches = len(compiled.find_all(text))
        check_text(len(text) + matches * len(replacement) + groups)


def _split(pattern: str, text: str, limit: int) -> Strings:
    parts = _compile(pattern).split(text, limit)
    check_items(len(parts))
    return Strings(parts) if limit != 0 else NilStrings()


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
