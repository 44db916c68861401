"""What an endpoint must be so that its senders reach it (spec: event sources 4.7 and 5.2)."""

from __future__ import annotations

import posixpath
import re

from tiphys.manifests.common import SourceConfig
from tiphys.manifests.rules._report import Scope
from tiphys.manifests.webhook import WebhookContext

_SCHEME = re.compile(r"https?://[^/]", re.IGNORECASE)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


def check(scope: Scope, config: SourceConfig) -> None:
    """Report what is wrong with the endpoint of an event, where it has one."""
    if isinstance(config, WebhookContext):
        _check_context(scope, config)
    elif isinstance(context := getattr(config, "webhook", None), WebhookContext):
        at = scope.at("webhook")
        _check_context(at, context)
        if context.url and not _SCHEME.match(context.url):
            at.at("url").warn("endpoint", "a URL begins with its scheme, such as `https://`")


def _check_context(scope: Scope, context: WebhookContext) -> None:
    if problem := _problem(context.endpoint):
        scope.at("endpoint").broken("endpoint", f"no request gets here, because {problem}")
    pair = {
        "serverCertSecret": context.server_cert_secret,
        "serverKeySecret": context.server_key_secret,
    }
    missing = [name for name, ref in pair.items() if ref is None]
    if len(missing) == 1:
        message = f"`{missing[0]}` is missing, so the endpoint speaks plain HTTP"
        scope.at(missing[0]).warn("endpoint", message)


def _problem(endpoint: str) -> str:
    """Why no request can have this path; empty when one can, or when there is no endpoint."""
    path = _example(endpoint)
    if not path:
        return ""
    if not path.startswith("/"):
        return "the path of a request begins with a slash"
    if "?" in path or "#" in path:
        return "a path ends before `?` and `#`"
    if _ESCAPE.search(path):
        return "paths are compared with their escapes resolved"
    cleaned = posixpath.normpath("/" + path.lstrip("/"))
    cleaned += "/" if path.endswith("/") and cleaned != "/" else ""
    return f"senders are redirected to `{cleaned}`" if cleaned != path else ""


def _example(template: str) -> str:
    """The template with a letter for each of its variables, whatever their patterns hold."""
    characters: list[str] = []
    depth = 0
    for character in template:
        if character == "{":
            characters += [] if depth else ["x"]
            depth += 1
        elif character == "}":
            depth -= 1
        elif not depth:
            characters.append(character)
    return "".join(characters)
