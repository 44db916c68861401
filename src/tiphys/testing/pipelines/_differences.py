"""Compares what is expected with what came, and shows the difference as people write it: YAML."""

from __future__ import annotations

import difflib
import io
import textwrap
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

# Texts that tools around Kubernetes would read as something else (YAML 1.1), unless quoted.
_WORDS = frozenset(("y", "yes", "n", "no", "on", "off", "true", "false", "null", "~"))


class _Representer(RoundTripRepresenter):
    """Texts of several lines as blocks, words that mean something else in quotes."""

    def plain_text(self, text: str) -> ScalarNode:
        style = None
        if text.lower() in _WORDS:
            style = '"'
        elif "\n" in text.strip("\n"):
            style = "|"
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    def nothing(self, _value: None) -> ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(str, _Representer.plain_text)
_Representer.add_representer(type(None), _Representer.nothing)


def as_yaml(value: Any) -> str:
    """*value*, which is JSON data, as YAML that ends with a line break."""
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(value, stream)
    text = stream.getvalue().removesuffix("...\n")
    return textwrap.dedent(text) if isinstance(value, list) else text


def difference(before: Any, after: Any, names: tuple[str, str] = ("expected", "actual")) -> str:
    """A unified diff of two values as YAML."""
    lines = difflib.unified_diff(
        as_yaml(before).splitlines(), as_yaml(after).splitlines(), *names, lineterm=""
    )
    return "\n".join(lines)


def fits(expected: Any, actual: Any, *, exactly: bool) -> bool:
    """
    Whether *actual* is what is expected.

    Unless *exactly*, mappings may have more members than expected; lists may not.
    """
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        if exactly and expected.keys() != actual.keys():
            return False
        return all(
            key in actual and fits(value, actual[key], exactly=exactly)
            for key, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(
            fits(one, other, exactly=exactly) for one, other in zip(expected, actual, strict=True)
        )
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return bool(expected == actual)


def comparable(expected: Any, actual: Any) -> Any:
    """*actual* without the members that *expected* does not speak of, in the order of it."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return {
            key: comparable(value, actual[key]) for key, value in expected.items() if key in actual
        }
    if isinstance(expected, list) and isinstance(actual, list):
        pairs = zip(expected, actual, strict=False)
        return [comparable(one, other) for one, other in pairs] + actual[len(expected) :]
    return actual


def other_members(expected: Any, actual: Any) -> list[str]:
    """The members of *actual* that *expected* does not speak of, if it speaks of missing ones."""
    if not (isinstance(expected, Mapping) and isinstance(actual, Mapping)):
        return []
    if all(key in actual for key in expected):
        return []
    return [key for key in actual if key not in expected]
