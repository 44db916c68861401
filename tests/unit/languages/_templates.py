"""Short cuts of the tests of templates."""

from __future__ import annotations

from typing import Any

from tiphys.languages import template


def rendered(text: str, value: Any = None) -> str:
    """What the template *text* makes of *value*."""
    return template.compile(text).render(value)


def printed(expression: str, value: Any = None) -> str:
    """What one action with *expression* prints."""
    return rendered(f"{{{{ {expression} }}}}", value)
