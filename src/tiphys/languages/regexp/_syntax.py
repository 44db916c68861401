"""Where the syntax of Go and that of RE2 differ: patterns in, patterns and error texts out."""

from __future__ import annotations

import re

from tiphys.languages._errors import CompileError

__all__ = ["error_from_re2", "to_re2"]

_TOKEN = re.compile(
    r"""
    \\Q .*? (?: \\E | \Z )           # literal text
    | \\[pP] (?: \{ [^}]* \} | . )   # a Unicode class
    | \\ .
    | \( (?! \? ) | \(\?P?< [^>]* >  # a group, which may have a name
    | \[\^? \]?                      # the beginning of a bracket, or inside one a bracket
    | \]
    """,
    re.VERBOSE | re.DOTALL,
)
_POSIX_CLASS = re.compile(r"\[:\^?[a-zA-Z]*:\]")
_GROUP_NAME = re.compile(r"[A-Za-z0-9_]+")

_ALIASES = {
    "Casedletter": "LC",
    "Closepunctuation": "Pe",
    "Cntrl": "Cc",
    "Combiningmark": "M",
    "Connectorpunctuation": "Pc",
    "Control": "Cc",
    "Currencysymbol": "Sc",
    "Dashpunctuation": "Pd",
    "Decimalnumber": "Nd",
    "Digit": "Nd",
    "Enclosingmark": "Me",
    "Finalpunctuation": "Pf",
    "Format": "Cf",
    "Initialpunctuation": "Pi",
    "Letter": "L",
    "Letternumber": "Nl",
    "Lineseparator": "Zl",
    "Lowercaseletter": "Ll",
    "Mark": "M",
    "Mathsymbol": "Sm",
    "Modifierletter": "Lm",
    "Modifiersymbol": "Sk",
    "Nonspacingmark": "Mn",
    "Number": "N",
    "Openpunctuation": "Ps",
    "Other": "C",
    "Otherletter": "Lo",
    "Othernumber": "No",
    "Otherpunctuation": "Po",
    "Othersymbol": "So",
    "Paragraphseparator": "Zp",
    "Privateuse": "Co",
    "Punct": "P",
    "Punctuation": "P",
    "Separator": "Z",
    "Spaceseparator": "Zs",
    "Spacingmark": "Mc",
    "Surrogate": "Cs",
    "Symbol": "S",
    "Titlecaseletter": "Lt",
    "Unassigned": "Cn",
    "Uppercaseletter": "Lu",
}
_VISIBLE = r"\pL\pM\pN\pP\pS\pZ"
_ASSIGNED = _VISIBLE + r"\p{Cc}\p{Cf}\p{Cs}\p{Co}"
# Classes that RE2 does not have, or has otherwise: what is in them, and what is not in them;
# None where a bracket cannot list it.
_OWN_CLASSES: dict[str, tuple[str | None, str | None]] = {
    "Any": (r"\x00-\x{10FFFF}", None),
    "Ascii": (r"\x00-\x7F", r"\x{80}-\x{10FFFF}"),
    "Assigned": (_ASSIGNED, None),
    "Cn": (None, _ASSIGNED),
    "C": (None, _VISIBLE),
    "LC": (r"\p{Lu}\p{Ll}\p{Lt}", None),
}

_MESSAGES = {
    "bad repetition operator": "invalid nested repetition operator",
    "invalid character class": "invalid character class range",
    "invalid character class range": "invalid character class range",
    "invalid escape sequence": "invalid escape sequence",
    "invalid named capture group": "invalid named capture",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "invalid UTF-8": "invalid UTF-8",
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "pattern too large - compile failed": "expression too large",
    "trailing \\": "trailing backslash at end of expression",
    "unexpected )": "unexpected )",
}


def to_re2(pattern: str) -> tuple[str, tuple[str, ...]]:
    """
    Rewrite what Go reads differently, and list the names of the groups, the whole match first.

    Groups without a name have an empty one; RE2 would tell only one group of each name. Raises
    CompileError for what only RE2 accepts. Patterns that both refuse are left to RE2.
    """
    parts: list[str] = []
    names = [""]
    position, in_bracket = 0, False
    while match := _TOKEN.search(pattern, position):
        token = match[0]
        parts.append(pattern[position : match.start()])
        position = match.end()
        if token[0] == "[" and in_bracket:
            named = _POSIX_CLASS.match(pattern, match.start())
            token = named[0] if named else "["
            position = match.start() + len(token)
        elif token[0] in "[]":
            in_bracket = token[0] == "["
        elif token[0] == "\\":
            token = _escape(token, in_bracket, pattern, match.start())
        elif in_bracket:
            token = "("
            position = match.start() + 1
        else:
            names.append(_group_name(token, pattern, match.start()))
        parts.append(token)
    parts.append(pattern[position:])
    return "".join(parts), tuple(names)


def error_from_re2(message: str, pattern: str) -> CompileError:
    """Say what RE2 said in Go's words, with the place of the fragment that it names."""
    reason, colon, fragment = message.partition(": ")
    position = pattern.find(fragment) if colon and fragment else -1
    return broken(
        _MESSAGES.get(reason, reason), fragment, pattern, None if position < 0 else position
    )


def broken(reason: str, fragment: str, pattern: str, position: int | None) -> CompileError:
    """Build an error with Go's text."""
    where = f": `{fragment}`" if fragment else ""
    return CompileError(f"error parsing regexp: {reason}{where}", pattern, position)


def _group_name(token: str, pattern: str, position: int) -> str:
    name = token.partition("<")[2].removesuffix(">")
    if token != "(" and not _GROUP_NAME.fullmatch(name):
        raise broken("invalid named capture", token, pattern, position)
    return name


def _escape(token: str, in_bracket: bool, pattern: str, position: int) -> str:
    """Rewrite one escape sequence."""
    if token == "\\C":
        raise broken("invalid escape sequence", token, pattern, position)
    if token[1] not in "pP" or not token.isascii():
        return token
    name = token[2:].strip("{}")
    negated = (token[1] == "P") != name.startswith("^")
    name = name.removeprefix("^")
    canonical = re.sub("[-_ ]", "", name).capitalize()
    canonical = _ALIASES.get(canonical, "LC" if canonical == "Lc" else canonical)
    if canonical not in _OWN_CLASSES:
        if "_" in name and canonical not in _ALIASES.values():
            canonical = name  # scripts of several words have one spelling only
        return f"\\{'P' if negated else 'p'}{{{canonical}}}"
    inside, outside = _OWN_CLASSES[canonical]
    if negated:
        inside, outside = outside, inside
    if not in_bracket:
        return f"[{inside}]" if inside is not None else f"[^{outside}]"
    if inside is None:
        raise broken("invalid character class range", token, pattern, position)
    return inside
