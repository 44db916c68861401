"""One value printed with one verb and its flags, as Go's ``fmt`` prints it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable

from tiphys.languages._quoting import quote
from tiphys.languages.template.floats import format_float
from tiphys.languages.template.limits import check_text
from tiphys.languages.template.printing import display
from tiphys.languages.template.text import encode
from tiphys.languages.template.values import MISSING, Certificate, Value, go_type, type_name

__all__ = ["Flags", "format_value", "register_fields", "register_go_string"]

_RUNE_LIMIT = 0x10FFFF
_STRINGERS: set[type] = set()
_GO_STRINGS: dict[type, Callable[[Value], str]] = {}
_FIELDS: dict[type, Callable[[Value], dict[str, Value]]] = {
    Certificate: lambda value: {"Cert": value.Cert, "Key": value.Key}
}
"""The members of Go's structs, which verbs that no String method serves print one by one."""


@dataclasses.dataclass(slots=True)
class Flags:
    """What stands between ``%`` and the verb."""

    minus: bool = False
    plus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    width: int | None = None
    precision: int | None = None
    with_names: bool = False  # %+v
    go_syntax: bool = False  # %#v

    def pad(self, text: str, *, zeros: bool = True) -> str:
        """*text* filled up to the width, at its end after ``-``, else at its start."""
        missing = (self.width or 0) - len(text)
        if missing <= 0:
            return text
        if self.minus:
            return text + " " * missing
        return ("0" if self.zero and zeros else " ") * missing + text

    def cut(self, text: str) -> str:
        """*text* with no more characters than the precision."""
        return text if self.precision is None else text[: self.precision]


def register_go_string(python_type: type, show: Callable[[Value], str]) -> None:
    """Values of *python_type* print themselves with ``%#v``."""
    _GO_STRINGS[python_type] = show


def register_fields(
    python_type: type, fields: Callable[[Value], dict[str, Value]] | None = None
) -> None:
    """Values of *python_type* have a String method; the Go type may be a struct of *fields*."""
    _STRINGERS.add(python_type)
    if fields is not None:
        _FIELDS[python_type] = fields


def format_value(value: Value, verb: str, flags: Flags) -> str:
    """Print *value*; a verb that does not fit its type gives a text such as ``%!d(string=x)``."""
    if value is MISSING:
        value = None
    if value is None:
        return flags.pad("<nil>") if verb in "vT" else _bad_verb(value, verb, flags)
    if verb == "T":
        return flags.pad(flags.cut(type_name(value)))
    if verb == "w":
        return _bad_verb(value, verb, flags)
    if verb == "p":
        return _pointer(value, verb, flags)
    return _formatted(value, verb, flags, methods=True)


def _formatted(value: Value, verb: str, flags: Flags, *, methods: bool) -> str:
    if methods:
        if flags.go_syntax:
            if (show := _GO_STRINGS.get(type(value))) is not None:
                return flags.pad(flags.cut(show(value)))
        elif type(value) in _STRINGERS and verb in "vsxXq":
            return _string(display(value), verb, flags)
    kind = go_type(value)
    match kind.basic:
        case "bool":
            if verb in "tv":
                return flags.pad("true" if value else "false")
        case "int" | "uint":
            return _integer(value, verb, flags, is_signed=kind.basic == "int")
        case "float":
            return _float(value, verb, flags)
        case "complex":
            return _complex(value, verb, flags)
        case "string":
            return _string(value, verb, flags)
        case _:
            return _composite(value, verb, flags, methods=methods)
    return _bad_verb(value, verb, flags)


def _bad_verb(value: Value, verb: str, flags: Flags) -> str:
    if value is None:
        return f"%!{verb}(<nil>)"
    return f"%!{verb}({type_name(value)}={_formatted(value, 'v', flags, methods=False)})"


def _composite(value: Value, verb: str, flags: Flags, *, methods: bool) -> str:
    if (members := _FIELDS.get(type(value))) is not None:
        return _struct(value, members(value), verb, flags, methods=methods)
    opening, closing, separator = "[", "]", " "
    if flags.go_syntax:
        if go_type(value).nil:
            return f"{type_name(value)}(nil)"
        opening, closing, separator = f"{type_name(value)}{{", "}", ", "
    elif isinstance(value, dict):
        opening = "map["
    if isinstance(value, dict):
        items: Iterable[str] = (
            f"{_item(key, verb, flags, methods)}:{_item(value[key], verb, flags, methods)}"
            for key in sorted(value)
        )
    else:
        items = (_item(item, verb, flags, methods) for item in value)
    return opening + _joined(items, separator) + closing


def _struct(
    value: Value, members: dict[str, Value], verb: str, flags: Flags, *, methods: bool
) -> str:
    items = []
    for name, member in members.items():
        shown = _item(member, verb, flags, methods)
        items.append(f"{name}:{shown}" if flags.with_names or flags.go_syntax else shown)
    body = _joined(items, ", " if flags.go_syntax else " ")
    pointer = "&" if go_type(value).kind == "ptr" else ""
    name = type_name(value).removeprefix("*") if flags.go_syntax else ""
    return f"{pointer}{name}{{{body}}}"


def _item(value: Value, verb: str, flags: Flags, methods: bool) -> str:
    """A member of a list, map or struct."""
    if value is None:
        return "interface {}(nil)" if flags.go_syntax else "<nil>"
    return _formatted(value, verb, flags, methods=methods)


def _joined(items: Iterable[str], separator: str) -> str:
    parts = []
    size = 0
    for item in items:
        parts.append(item)
        size += len(item) + 1
        check_text(size)
    return separator.join(parts)


def _pointer(value: Value, verb: str, flags: Flags) -> str:
    """An address; only maps, lists and pointers have one."""
    kind = go_type(value).kind
    if kind not in ("slice", "map", "ptr"):
        return _bad_verb(value, verb, flags)
    address = 0 if go_type(value).nil else id(value)
    prefix = "" if flags.sharp else "0x"
    return flags.pad(f"{prefix}{address:x}")


def _integer(value: int, verb: str, flags: Flags, *, is_signed: bool) -> str:
    bases = {"v": 10, "d": 10, "b": 2, "o": 8, "O": 8, "x": 16, "X": 16}
    if verb in bases:
        if verb == "v" and flags.go_syntax and not is_signed:
            return _digits(int(value), 16, verb, flags, sharp=True)
        return _digits(int(value), bases[verb], verb, flags, sharp=flags.sharp)
    if verb == "c":
        return flags.pad(_rune(value))
    if verb == "q":
        quoted = quote(_rune(value))[1:-1].replace('\\"', '"').replace("'", "\\'")
        return flags.pad(f"'{_ascii(quoted) if flags.plus else quoted}'")
    if verb == "U":
        return _code_point(value, flags)
    return _bad_verb(value, verb, flags)


def _digits(value: int, base: int, verb: str, flags: Flags, *, sharp: bool) -> str:
    size = abs(value)
    precision = flags.precision
    if precision == 0 and value == 0:
        return flags.pad("", zeros=False)
    sign = "-" if value < 0 else "+" if flags.plus else " " if flags.space else ""
    if precision is None and flags.zero and not flags.minus and flags.width is not None:
        precision = flags.width - len(sign)
    letters = {2: "b", 8: "o", 10: "d", 16: "X" if verb == "X" else "x"}
    digits = f"{size:{letters[base]}}".rjust(precision or 0, "0")
    if sharp:
        prefixes = {2: "0b", 8: "" if digits[0] == "0" else "0", 16: "0" + letters[16]}
        digits = prefixes.get(base, "") + digits
    if verb == "O":
        digits = "0o" + digits
    return flags.pad(sign + digits, zeros=False)


def _rune(value: int) -> str:
    if not 0 <= value <= _RUNE_LIMIT or 0xD800 <= value < 0xE000:
        return "\ufffd"
    return chr(value)


def _code_point(value: int, flags: Flags) -> str:
    unsigned = value & 0xFFFF_FFFF_FFFF_FFFF
    text = "U+" + f"{unsigned:X}".rjust(max(flags.precision or 0, 4), "0")
    if flags.sharp and unsigned <= _RUNE_LIMIT and chr(unsigned).isprintable():
        text += f" '{chr(unsigned)}'"
    return flags.pad(text, zeros=False)


def _float(value: float, verb: str, flags: Flags) -> str:
    notations = {"v": ("g", None), "f": ("f", 6), "F": ("f", 6), "e": ("e", 6), "E": ("E", 6)}
    notations |= {letter: (letter, None) for letter in "bgGxX"}
    if verb not in notations:
        return _bad_verb(value, verb, flags)
    notation, precision = notations[verb]
    if flags.precision is not None:
        precision = flags.precision
    text = format_float(value, notation, precision)
    sign, text = (text[0], text[1:]) if text[0] in "+-" else ("+", text)
    if sign == "+" and flags.space and not flags.plus:
        sign = " "
    if text in ("Inf", "NaN"):
        shown = text == "Inf" or flags.plus or flags.space
        return flags.pad(sign + text if shown else text, zeros=False)
    if flags.sharp and notation != "b":
        text = _with_point(text, notation, precision)
    if not flags.plus and sign == "+":
        return flags.pad(text)
    if flags.zero and not flags.minus:
        return sign + text.rjust((flags.width or 0) - 1, "0")
    return flags.pad(sign + text)


def _with_point(text: str, notation: str, precision: int | None) -> str:
    """``#`` keeps the decimal point and the zeros at the end."""
    wanted = 0
    if notation in "gGx":
        wanted = 6 if precision is None else precision
    match = re.search("[pP]" if notation in "xX" else "[eE]", text)
    number, exponent = (text[: match.start()], text[match.start() :]) if match else (text, "")
    wanted -= len(number.replace(".", "").lstrip("0"))  # an x counts, as in the original
    if "." not in number:
        wanted -= number == "0"
        number += "."
    return number + "0" * wanted + exponent


def _complex(value: complex, verb: str, flags: Flags) -> str:
    if verb not in "vbgGxXfFeE":
        return _bad_verb(value, verb, flags)
    imaginary = _float(value.imag, verb, dataclasses.replace(flags, plus=True))
    return f"({_float(value.real, verb, flags)}{imaginary}i)"


def _string(text: str, verb: str, flags: Flags) -> str:
    if verb == "v":
        verb = "q" if flags.go_syntax else "s"
    if verb == "s":
        return flags.pad(flags.cut(text))
    if verb in "xX":
        return _hexadecimal(encode(text), verb, flags)
    if verb == "q":
        text = flags.cut(text)
        if flags.sharp and _can_backquote(text):
            return flags.pad(f"`{text}`")
        quoted = quote(text)
        return flags.pad(_ascii(quoted) if flags.plus else quoted)
    return _bad_verb(text, verb, flags)


def _hexadecimal(data: bytes, verb: str, flags: Flags) -> str:
    data = data[: flags.precision] if flags.precision is not None else data
    prefix = f"0{verb}" if flags.sharp else ""
    digits = [f"{byte:02{verb}}" for byte in data]
    if flags.space:
        return flags.pad(" ".join(prefix + pair for pair in digits))
    return flags.pad(prefix + "".join(digits) if digits else "")


def _can_backquote(text: str) -> bool:
    return not any(
        character in "`\ufeff\x7f"
        or (character < " " and character != "\t")
        or "\ud800" <= character <= "\udfff"
        for character in text
    )


def _ascii(quoted: str) -> str:
    """A quoted text with escapes for all that is not ASCII."""
    if quoted.isascii():
        return quoted
    return "".join(
        character
        if character < "\x80"
        else f"\\u{ord(character):04x}"
        if ord(character) < 0x10000
        else f"\\U{ord(character):08x}"
        for character in quoted
    )
