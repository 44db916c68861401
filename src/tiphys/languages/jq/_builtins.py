"""
The functions that exist in the original, and what stands for each in the engine.

Most are the engine's own.  Those that differ are defined in ``definitions.jq``; a translation
carries the definitions that it needs, and what these need in turn.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Final

from tiphys.languages.jq._tokens import Token

__all__ = ["FORMATS", "REGEX_FUNCTIONS", "Usage"]

FORMATS: Final = {
    "@text": "t_text",
    "@json": "t_json",
    "@html": "t_format_html",
    "@uri": "t_format_uri",
    "@urid": "t_format_urid",
    "@csv": "t_format_csv",
    "@tsv": "t_format_tsv",
    "@sh": "t_format_sh",
    "@base64": "t_format_base64",
    "@base64d": "t_format_base64d",
}
REGEX_FUNCTIONS: Final = frozenset(
    ("match", "test", "capture", "scan", "split", "splits", "sub", "gsub")
)

_ENGINES_OWN: Final = """
    arrays/0 atan2/2 booleans/0 bsearch/1 builtins/0 copysign/2 del/1 delpaths/1 drem/2 empty/0
    error/0 error/1 fdim/2 finites/0 fma/3 fmax/2 fmin/2 fmod/2 fromstream/1 getpath/1 group_by/1
    hypot/2 infinite/0 isempty/1 isfinite/0 isinfinite/0 isnormal/0 iterables/0 jn/2 ldexp/2
    limit/2 map_values/1 max_by/1 min_by/1 nan/0 nextafter/2 nexttoward/2 normals/0 not/0 now/0
    nulls/0 numbers/0 objects/0 path/1 pick/1 pow/2 range/1 range/2 range/3 recurse/1 recurse/2
    remainder/2 repeat/1 scalars/0 scalb/2 scalbln/2 select/1 setpath/2 skip/2 sort_by/1 strings/0
    toboolean/0 type/0 unique_by/1 until/2 values/0 walk/1 while/2 yn/2
"""
_OURS: Final = """
    IN/1 IN/2 INDEX/1 INDEX/2 JOIN/2 JOIN/3 JOIN/4 abs/0 acos/0 acosh/0 add/0 add/1 all/0 all/1
    all/2 any/0 any/1 any/2 ascii_downcase/0 ascii_upcase/0 asin/0 asinh/0 atan/0 atanh/0
    capture/1 capture/2 cbrt/0 ceil/0 combinations/0 combinations/1 contains/1 cos/0 cosh/0
    endswith/1 env/0 erf/0 erfc/0 exp/0 exp10/0 exp2/0 explode/0 expm1/0 fabs/0 first/0 first/1
    flatten/0 flatten/1 floor/0 format/1 frexp/0 from_entries/0 fromdate/0 fromdateiso8601/0
    fromjson/0 gamma/0 gmtime/0 gsub/2 gsub/3 halt/0 halt_error/0 halt_error/1 has/1 implode/0
    in/1 index/1 indices/1 inside/1 isnan/0 j0/0 j1/0 join/1 keys/0 last/0 last/1 length/0
    lgamma/0 localtime/0 log/0 log10/0 log1p/0 log2/0 logb/0 ltrim/0 ltrimstr/1 map/1 match/1
    match/2 max/0 min/0 mktime/0 modf/0 modulemeta/0 nearbyint/0 nth/1 nth/2 paths/0 paths/1
    recurse/0 reverse/0 rindex/1 rint/0 round/0 rtrim/0 rtrimstr/1 scan/1 scan/2 significand/0
    sin/0 sinh/0 sort/0 split/1 split/2 splits/1 splits/2 sqrt/0 startswith/1 strflocaltime/1
    strftime/1 strptime/1 sub/2 sub/3 tan/0 tanh/0 test/1 test/2 tgamma/0 to_entries/0 toboolean/0
    todate/0 todateiso8601/0 tojson/0 tonumber/0 tostream/0 tostring/0 transpose/0 trim/0
    trimstr/1 trunc/0 truncate_stream/1 unique/0 utf8bytelength/0 with_entries/1 y0/0 y1/0
"""
# The engine's own; where the original refuses an input, ours refuse it with the original's words.
_OF_NUMBERS: Final = """
    acos acosh asin asinh atan atanh cbrt ceil cos cosh erf erfc exp exp10 exp2 expm1 fabs floor
    frexp j0 j1 lgamma log log10 log1p log2 logb modf nearbyint rint round significand sin sinh
    sqrt tan tanh tgamma trunc y0 y1
"""
_GUARDED: Final = {
    **dict.fromkeys(_OF_NUMBERS.split(), ("number",)),
    **dict.fromkeys(("max", "min", "reverse", "sort", "unique"), ("array",)),
    **dict.fromkeys(("ltrim", "rtrim", "trim", "utf8bytelength"), ("string",)),
    "keys": ("object", "array"),
    "length": ("null", "number", "string", "array", "object"),
}
_DEFINITION = re.compile(r"^def (t_\w+)", re.MULTILINE)
_REFERENCE = re.compile(r"\bt_\w+")
_COMMENT = re.compile(r"^#.*\n", re.MULTILINE)
_SAFE_INTEGER: Final = 1 << 53
_MAY_BE_NO_NUMBER: Final = frozenset(
    [
        "nan",
        "infinite",
        "sqrt",
        "log",
        "log2",
        "log10",
        "log1p",
        "pow",
        "asin",
        "acos",
        "acosh",
        "atanh",
        "fmod",
        "drem",
        "remainder",
        "gamma",
        "tgamma",
        "lgamma",
        "y0",
        "y1",
        "yn",
        "ldexp",
        "scalb",
        "scalbln",
        "exp",
        "exp2",
        "exp10",
        "expm1",
        "sinh",
        "cosh",
    ]
)


def _names(listed: str) -> frozenset[tuple[str, int]]:
    pairs = (name.split("/") for name in listed.split())
    return frozenset((name, int(arity)) for name, arity in pairs)


_ENGINES_OWN_NAMES: Final = _names(_ENGINES_OWN)
_OUR_NAMES: Final = _names(_OURS)


class Usage:
    """
    What a program uses, and with it how carefully it must be translated.

    *explains*: it catches errors, and so may look at their texts.  *exact*: its arithmetic may
    leave the integers that a float64 holds.  *halts*: it may end itself, past every ``try``.
    """

    def __init__(self, tokens: Iterable[Token]) -> None:
        words = {token.text for token in tokens if token.kind != "string"}
        self.explains = "catch" in words
        self.halts = not words.isdisjoint(("halt", "halt_error"))
        big = any(
            token.kind == "number" and token.text.isdigit() and int(token.text) >= _SAFE_INTEGER
            for token in tokens
        )
        self.exact = big or self.explains or not words.isdisjoint(("*", "*="))
        self._checks = not words.isdisjoint(_MAY_BE_NO_NUMBER) or "*" in words
        self._needed: set[str] = set()

    def need(self, name: str) -> str:
        """Note that the translation uses our definition *name*."""
        if name == "t_output" and self._checks:
            name = "t_checked_output"
        self._needed.add(name)
        return name

    def builtin(self, name: str, arity: int) -> str | None:
        """What stands for a builtin in the translation; None if the original has none such."""
        if (name, arity) in _OUR_NAMES:
            return self.need(f"t_{name}")
        return name if (name, arity) in _ENGINES_OWN_NAMES else None

    def definitions(self) -> str:
        """Our definitions that the translation needs; each comes after those it uses."""
        texts = _definitions()
        ordered: dict[str, str] = {}

        def add(name: str) -> None:
            if name not in ordered:
                for other in dict.fromkeys(_REFERENCE.findall(texts[name])):
                    if other != name:
                        add(other)
                ordered[name] = texts[name]

        for name in sorted(self._needed):
            add(name)
        return " ".join(ordered.values())


@functools.cache
def _definitions() -> dict[str, str]:
    """The definitions by name; those of one name with different arities belong together."""
    source = (files("tiphys.languages.jq") / "definitions.jq").read_text(encoding="utf-8")
    source = _COMMENT.sub("", source)
    starts = [(match.group(1), match.start()) for match in _DEFINITION.finditer(source)]
    ends = [start for _, start in starts[1:]] + [len(source)]
    texts: dict[str, str] = {}
    for (name, start), end in zip(starts, ends, strict=True):
        text = " ".join(source[start:end].split())
        texts[name] = f"{texts[name]} {text}" if name in texts else text
    for name, kinds in _GUARDED.items():
        accepted = " or ".join(f'. == "{kind}"' for kind in kinds)
        body = f'if (type | {accepted}) then {name} else t_refuse("{name}") end'
        texts[f"t_{name}"] = f"def t_{name}: {body};"
    return texts
