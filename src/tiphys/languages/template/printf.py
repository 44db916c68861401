"""Go's ``fmt.Sprintf``: texts with ``%`` directives."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tiphys.languages.template.limits import check_text
from tiphys.languages.template.printing import display
from tiphys.languages.template.values import Value, go_type, type_name
from tiphys.languages.template.verbs import Flags, format_value

__all__ = ["sprintf"]

_LARGEST = 1_000_000  # of widths and precisions
_DIGITS = re.compile(r"[0-9]+")
_FLAGS = {"-": "minus", "+": "plus", "#": "sharp", " ": "space", "0": "zero"}


def sprintf(format_text: str, arguments: Sequence[Value]) -> str:
    """
    Fill *arguments* into *format_text*.

    What is wrong is told in the text, as in ``%!d(string=x)`` or ``%!s(MISSING)``. Raises
    LimitExceeded when the text grows too long.
    """
    return _Printer(format_text, arguments).run()


class _Printer:
    def __init__(self, format_text: str, arguments: Sequence[Value]) -> None:
        self.format = format_text
        self.arguments = arguments
        self.position = 0
        self.argument = 0  # the next one
        self.reordered = False
        self.good_index = True
        self.after_index = False
        self.parts: list[str] = []
        self.size = 0

    def run(self) -> str:
        while (percent := self.format.find("%", self.position)) >= 0:
            self.write(self.format[self.position : percent])
            self.position = percent + 1
            self.directive()
        self.write(self.format[self.position :])
        if not self.reordered and self.argument < len(self.arguments):
            self.extra()
        return "".join(self.parts)

    def write(self, text: str) -> None:
        self.size += len(text)
        check_text(self.size)
        self.parts.append(text)

    def peek(self) -> str:
        return self.format[self.position : self.position + 1]

    def directive(self) -> None:
        """Everything after a ``%``."""
        flags = Flags()
        self.good_index = True
        self.after_index = False
        while name := _FLAGS.get(self.peek()):
            setattr(flags, name, True)
            self.position += 1
        self.index()
        self.width(flags)
        self.precision(flags)
        if not self.after_index:
            self.index()
        verb = self.peek()
        self.position += 1
        if not verb:
            self.write("%!(NOVERB)")
        elif verb == "%":
            self.write("%")
        elif not self.good_index:
            self.write(f"%!{verb}(BADINDEX)")
        elif self.argument >= len(self.arguments):
            self.write(f"%!{verb}(MISSING)")
        else:
            self.value(verb, flags)

    def value(self, verb: str, flags: Flags) -> None:
        if verb in "vw":
            flags.go_syntax, flags.sharp = flags.sharp, False
            flags.with_names, flags.plus = flags.plus, False
        self.write(format_value(self.arguments[self.argument], verb, flags))
        self.argument += 1

    def index(self) -> None:
        """``[2]`` chooses the next argument."""
        self.after_index = False
        if self.peek() != "[":
            return
        self.reordered = True
        end = self.format.find("]", self.position)
        if end < 0 or len(self.format) - self.position < 3:
            self.good_index = False
            self.position += 1
            return
        digits = self.format[self.position + 1 : end]
        self.position = end + 1
        number = int(digits) if _DIGITS.fullmatch(digits) and len(digits) < 8 else None
        if number is None:
            self.good_index = False
            return
        self.after_index = True
        if 1 <= number <= len(self.arguments):
            self.argument = number - 1
        else:
            self.good_index = False

    def width(self, flags: Flags) -> None:
        if self.peek() == "*":
            self.position += 1
            number = self.number_argument()
            if number is None:
                self.write("%!(BADWIDTH)")
            else:
                flags.width = abs(number)
                flags.minus = flags.minus or number < 0
                flags.zero = flags.zero and number >= 0
            self.after_index = False
            return
        flags.width = self.number()
        if self.after_index and flags.width is not None:
            self.good_index = False

    def precision(self, flags: Flags) -> None:
        if self.peek() != "." or self.position + 1 >= len(self.format):
            return
        self.position += 1
        if self.after_index:
            self.good_index = False
        self.index()
        if self.peek() == "*":
            self.position += 1
            number = self.number_argument()
            flags.precision = number if number is not None and number >= 0 else None
            if flags.precision is None:
                self.write("%!(BADPREC)")
            self.after_index = False
        else:
            flags.precision = self.number() or 0

    def number(self) -> int | None:
        """Digits at this place; one too large swallows the rest of the format."""
        match = _DIGITS.match(self.format, self.position)
        if match is None:
            return None
        number = int(match[0].lstrip("0")[:9] or 0)
        if number // 10 > _LARGEST:
            self.position = len(self.format)
            return None
        self.position = match.end()
        return number

    def number_argument(self) -> int | None:
        """The next argument as a width or precision; None where it is none."""
        if self.argument >= len(self.arguments):
            return None
        value = self.arguments[self.argument]
        self.argument += 1
        if go_type(value).basic not in ("int", "uint") or abs(value) > _LARGEST:
            return None
        return int(value)

    def extra(self) -> None:
        """Name the arguments that no directive took."""
        shown = [
            "<nil>" if value is None else f"{type_name(value)}={display(value)}"
            for value in self.arguments[self.argument :]
        ]
        self.write(f"%!(EXTRA {', '.join(shown)})")
