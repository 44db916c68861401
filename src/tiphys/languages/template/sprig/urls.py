"""``urlParse`` and ``urlJoin``: URLs taken apart and put together as Go does."""

from __future__ import annotations

import dataclasses
import ipaddress
import re

from tiphys.languages._errors import EvaluationError
from tiphys.languages._quoting import quote
from tiphys.languages.template.functions import Function, function
from tiphys.languages.template.text import decode, encode
from tiphys.languages.template.values import Value, kind_of

__all__ = ["FUNCTIONS"]

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_HOST = _LETTERS + "-_.~!$&'()*+,;=:[]<>\""
_PATH = _LETTERS + "-_.~$&+,/:;=@"
_FRAGMENT = _LETTERS + "-_.~$&+,/:;=?@!()*"
_USER = _LETTERS + "-_.~$&+,;="
_USERINFO = re.compile(r"[A-Za-z0-9._:~!$&'()*+,;=%@-]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_PORT = re.compile(r"(:[0-9]*)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ESCAPE = re.compile(rb"%([0-9a-fA-F]{2})")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2}).{0,2}", re.DOTALL)
_ASCII_ESCAPE = re.compile(r"%(?!25)[0-7].")  # hosts may escape only what is not ASCII


@dataclasses.dataclass(slots=True)
class _Url:
    scheme: str = ""
    opaque: str = ""
    user: tuple[str, str | None] | None = None
    host: str = ""
    path: str = ""
    query: str = ""
    fragment: str = ""


def _unescape(text: str) -> str:
    if match := _BROKEN_ESCAPE.search(text):
        raise EvaluationError(f"invalid URL escape {quote(match[0])}")
    return decode(_ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), encode(text)))


def _escape(text: str, safe: str) -> str:
    if all(character in safe for character in text):
        return text
    return "".join(
        chr(byte) if byte < 0x80 and chr(byte) in safe else f"%{byte:02X}" for byte in encode(text)
    )


def _parse(text: str) -> _Url:
    rest, _, fragment = text.partition("#")
    url = _parse_without_fragment(rest)
    url.fragment = _unescape(fragment)
    return url


def _parse_without_fragment(text: str) -> _Url:
    url = _Url()
    if _CONTROL.search(text):
        raise EvaluationError("net/url: invalid control character in URL")
    if text == "*":
        url.path = "*"
        return url
    if text.startswith(":"):
        raise EvaluationError("missing protocol scheme")
    rest = text
    if match := _SCHEME.match(text):
        url.scheme, rest = match[1].lower(), text[match.end() :]
    rest, _, url.query = rest.partition("?")
    if not rest.startswith("/"):
        if url.scheme:
            url.opaque = rest
            return url
        if ":" in rest.partition("/")[0]:
            raise EvaluationError("first path segment in URL cannot contain colon")
    if rest.startswith("//") and (url.scheme or not rest.startswith("///")):
        authority, slash, rest = rest[2:].partition("/")
        rest = slash + rest
        _parse_authority(url, authority)
    url.path = _unescape(rest)
    return url


def _parse_authority(url: _Url, authority: str) -> None:
    userinfo, at, host = authority.rpartition("@")
    url.host = _parse_host(url.scheme, host)
    if not at:
        return
    if not _USERINFO.fullmatch(userinfo):
        raise EvaluationError("net/url: invalid userinfo")
    name, colon, password = userinfo.partition(":")
    url.user = _unescape(name), _unescape(password) if colon else None


def _parse_host(scheme: str, host: str) -> str:
    bracket = host.rfind("[")
    if bracket > 0:
        raise EvaluationError("invalid IP-literal")
    if bracket == 0:
        return _parse_address(host)
    if ":" in host:
        colon = host.find(":") if scheme in ("http", "https") else host.rfind(":")
        _check_port(host[colon:])
    return _unescape_host(host)


def _parse_address(host: str) -> str:
    """An IPv6 address in brackets, perhaps with a zone."""
    address, bracket, port = host[1:].rpartition("]")
    if not bracket:
        raise EvaluationError("missing ']' in host")
    _check_port(port)
    address, mark, zone = address.partition("%25")
    address = _unescape_host(address)
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        raise EvaluationError(f"invalid host: {address}") from None
    if mark:
        zone = "%" + _unescape(zone)
        if zone == "%":
            raise EvaluationError("invalid host: zone must be a non-empty string")
    return f"[{address}{zone}]{port}"


def _unescape_host(host: str) -> str:
    if match := _BROKEN_ESCAPE.search(host) or _ASCII_ESCAPE.search(host):
        raise EvaluationError(f"invalid URL escape {quote(match[0])}")
    for character in host:
        if character.isascii() and character not in _HOST and character != "%":
            raise EvaluationError(f"invalid character {quote(character)} in host name")
    return _unescape(host)


def _check_port(port: str) -> None:
    if not _PORT.fullmatch(port):
        raise EvaluationError(f"invalid port {quote(port)} after host")


def _userinfo(url: _Url) -> str:
    if url.user is None:
        return ""
    name, password = url.user
    shown = _escape(name, _USER)
    return shown if password is None else f"{shown}:{_escape(password, _USER)}"


def _hostname(url: _Url) -> str:
    host = url.host
    colon = host.rfind(":")
    if colon >= 0 and _PORT.fullmatch(host[colon:]):
        host = host[:colon]
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _string(url: _Url) -> str:
    """The text of a URL; parts are escaped where they must be."""
    parts = [f"{url.scheme}:"] if url.scheme else []
    if url.opaque:
        parts.append(url.opaque)
    else:
        has_user = url.user is not None
        if (url.scheme or url.host or has_user) and (url.host or url.path or has_user):
            parts.append("//")
            if has_user:
                parts.append(f"{_userinfo(url)}@")
            parts.append(_escape(url.host, _HOST))
        path = "*" if url.path == "*" else _escape(url.path, _PATH)
        if path and not path.startswith("/") and url.host:
            parts.append("/")
        if not parts and ":" in path.partition("/")[0]:
            parts.append("./")
        parts.append(path)
    if url.query:
        parts.append(f"?{url.query}")
    if url.fragment:
        parts.append(f"#{_escape(url.fragment, _FRAGMENT)}")
    return "".join(parts)


def _url_parse(text: str) -> dict[str, Value]:
    try:
        url = _parse(text)
    except EvaluationError as error:
        raise EvaluationError(f"unable to parse url: parse {quote(text)}: {error}") from None
    return {
        "scheme": url.scheme,
        "host": url.host,
        "hostname": _hostname(url),
        "path": url.path,
        "query": url.query,
        "opaque": url.opaque,
        "fragment": url.fragment,
        "userinfo": _userinfo(url),
    }


def _url_join(parts: dict[str, Value]) -> str:
    texts = {}
    for key in ("scheme", "host", "path", "query", "opaque", "fragment", "userinfo"):
        texts[key] = parts.get(key, "")
        if not isinstance(texts[key], str):
            kind = kind_of(texts[key])
            raise EvaluationError(
                f"unable to parse {key} key, must be of type string, but {kind} found"
            )
    userinfo = texts.pop("userinfo")
    url = _Url(**texts)
    if userinfo:
        try:
            url.user = _parse(f"proto://{userinfo}@host").user
        except EvaluationError as error:
            raise EvaluationError(f"unable to parse userinfo in dict: {error}") from None
    return _string(url)


FUNCTIONS: dict[str, Function] = {
    "urlJoin": function("map", _url_join),
    "urlParse": function("string", _url_parse),
}
