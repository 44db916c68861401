"""Selectors of Kubernetes objects as manifests write them (spec: event sources 9.6)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field

from tiphys.manifests.common import Block

_FORMS = {
    "": "{key}={value}",
    "=": "{key}={value}",
    "==": "{key}=={value}",
    "!=": "{key}!={value}",
    "in": "{key} in ({value})",
    "notin": "{key} notin ({value})",
    "exists": "{key}",
    "!": "!{key}",
    "gt": "{key}>{value}",
    "lt": "{key}<{value}",
}
_VALUE = re.compile(r"[A-Za-z0-9._-]*")
_INTEGER = re.compile(r"[+-]?\d+")


class Selector(Block):
    """One condition on a label or field."""

    key: str = Field("", description="The label, or the path of the field.")
    operation: str = Field("", description="How the value is compared; `==` when absent.")
    value: str = Field("", description="What to compare with.")


def label_selector(selectors: Sequence[Selector]) -> str:
    """All conditions in the API's own language; :func:`label_problems` must have none."""
    return ",".join(_FORMS[one.operation].format(key=one.key, value=one.value) for one in selectors)


def label_problems(selectors: Sequence[Selector], where: str) -> list[str]:
    """What is wrong with conditions on labels; *where* is the path of their list."""
    return [
        f"`{where}[{index}]`: {problem}"
        for index, one in enumerate(selectors)
        if (problem := _problem(one)) is not None
    ]


def _problem(selector: Selector) -> str | None:
    operation, value = selector.operation, selector.value
    if not selector.key:
        return "`key` is missing"
    if operation not in _FORMS:
        known = ", ".join(f"`{name}`" for name in _FORMS if name)
        return f"`operation` must be one of {known}, not `{operation}`"
    if operation in ("exists", "!"):
        return f"`value` must be empty with `{operation}`" if value else None
    if operation in ("gt", "lt"):
        return None if _INTEGER.fullmatch(value) else f"`value` must be an integer, not `{value}`"
    values = value.split(",") if operation in ("in", "notin") else [value]
    wrong = next((one for one in values if not _VALUE.fullmatch(one)), None)
    return None if wrong is None else f"`{wrong}` cannot be the value of a label"
