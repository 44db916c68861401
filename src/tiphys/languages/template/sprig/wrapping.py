"""Long texts made to fit: wrapped into lines, or cut with an ellipsis. Widths count bytes."""

from __future__ import annotations

from tiphys.languages.template.limits import check_text
from tiphys.languages.template.text import decode, encode

__all__ = ["abbreviate", "wrap"]

_ELLIPSIS = b"..."


def wrap(text: str, width: int, line_end: str = "", *, cut: bool = False) -> str:
    """
    Break *text* at spaces into lines of at most *width* bytes.

    Words that are longer stay whole, unless *cut* is true.
    """
    width = max(width, 1)
    data, mark = encode(text), encode(line_end) or b"\n"
    check_text(len(data) + len(mark) * (len(data) // width + data.count(b" ")))
    lines: list[bytes] = []
    offset = 0
    while len(data) - offset > width:
        if data[offset : offset + 1] == b" ":
            offset += 1
            continue
        space = data.rfind(b" ", offset, offset + width + 1)
        if space < 0 and cut:
            lines.append(data[offset : offset + width])
            offset += width
            continue
        if space < 0:
            space = data.find(b" ", offset + width)
        if space < 0:
            break
        lines.append(data[offset:space])
        offset = space + 1
    return decode(mark.join((*lines, data[offset:])))


def abbreviate(text: str, offset: int, width: int) -> str:
    """
    Cut *text* to *width* bytes, ellipses included.

    An *offset* above 4 asks that the byte there be seen, so that the start may be cut as well.
    """
    data = encode(text)
    if len(data) <= width:
        return text
    return decode(_abbreviated(data, offset, width))


def _abbreviated(data: bytes, offset: int, width: int) -> bytes:
    if len(data) <= width:
        return data
    room = width - len(_ELLIPSIS)
    offset = min(offset, len(data), len(data) - room) if len(data) - offset < room else offset
    if offset <= 4:
        return data[:room] + _ELLIPSIS
    if offset + room < len(data):
        return _ELLIPSIS + _abbreviated(data[offset:], 0, room)
    return _ELLIPSIS + data[len(data) - room :]
