"""Integers as 64-bit arithmetic reads them: digits only, and too many of them wrap around."""

from __future__ import annotations

__all__ = ["digits", "signed", "signed_digits"]


def digits(text: str) -> int | None:
    """The unsigned 64-bit integer that *text* spells; None when it is not all digits."""
    if not (text.isascii() and text.isdigit()):
        return None
    total = 0
    for start in range(0, len(text), 18):
        chunk = text[start : start + 18]
        total = (total * 10 ** len(chunk) + int(chunk)) % 2**64
    return total


def signed_digits(text: str) -> int | None:
    """The signed 64-bit integer that *text* spells; None when it is not all digits."""
    magnitude = digits(text.removeprefix("-"))
    if magnitude is None:
        return None
    return signed(-magnitude if text.startswith("-") else magnitude)


def signed(number: int) -> int:
    """The signed 64-bit integer with the low bits of *number*."""
    return (number + 2**63) % 2**64 - 2**63
