"""Values as ``print`` shows them: Go's ``%v`` without flags."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tiphys.languages.numbers import format_g
from tiphys.languages.template.limits import check_text
from tiphys.languages.template.values import MISSING, Certificate, Value

__all__ = ["display", "register_display", "sprint", "sprintln"]

_DISPLAYS: dict[type, Callable[[Value], str]] = {
    bool: lambda value: "true" if value else "false",
    float: format_g,
    str: lambda value: value,
    type(None): lambda _value: "<nil>",
    type(MISSING): lambda _value: "<nil>",
    complex: lambda value: f"({format_g(value.real)}{_with_sign(value.imag)}i)",
    Certificate: lambda value: f"{{{value.Cert} {value.Key}}}",
}


def register_display(python_type: type, show: Callable[[Value], str]) -> None:
    """Tell how values of *python_type* are printed: the String method of their Go type."""
    _DISPLAYS[python_type] = show


def display(value: Value) -> str:
    """*value* as ``%v`` prints it; raises LimitExceeded for what is too long."""
    show = _DISPLAYS.get(type(value))
    if show is not None:
        return show(value)
    if isinstance(value, dict):
        return f"map[{_joined(f'{key}:{display(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{_joined(map(display, value))}]"
    return str(int(value))


def sprint(values: Iterable[Value]) -> str:
    """*values* in a row, with a space between two that are no strings (``fmt.Sprint``)."""
    parts: list[str] = []
    after_text = True
    for value in values:
        is_text = type(value) is str
        if not (is_text or after_text):
            parts.append(" ")
        parts.append(display(value))
        after_text = is_text
    return "".join(parts)


def sprintln(values: Iterable[Value]) -> str:
    """*values* separated by spaces, with a line end (``fmt.Sprintln``)."""
    return " ".join(map(display, values)) + "\n"


def _joined(parts: Iterable[str]) -> str:
    text = " ".join(parts)
    check_text(len(text))
    return text


def _with_sign(number: float) -> str:
    text = format_g(number)
    return text if text[0] in "+-" else f"+{text}"
