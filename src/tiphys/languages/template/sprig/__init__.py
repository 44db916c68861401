"""
The functions of sprig v3.3.0, by topic.

``FUNCTIONS`` has all 211, with Go's types in their signatures; ``CHANGING`` names those that
change their arguments. Whoever may not see the environment gets ``HARMLESS`` in place of the
functions of the same name.
"""

from __future__ import annotations

from tiphys.languages.template.functions import Function
from tiphys.languages.template.sprig import (
    certificates,
    dates,
    defaults,
    dicts,
    encoding,
    lists,
    numbers,
    passwords,
    paths,
    regex,
    semver,
    strings,
    system,
    urls,
)
from tiphys.languages.template.sprig.dicts import CHANGING
from tiphys.languages.template.sprig.system import HARMLESS

__all__ = ["CHANGING", "FUNCTIONS", "HARMLESS"]

FUNCTIONS: dict[str, Function] = {
    name: function
    for topic in (
        certificates,
        dates,
        defaults,
        dicts,
        encoding,
        lists,
        numbers,
        passwords,
        paths,
        regex,
        semver,
        strings,
        system,
        urls,
    )
    for name, function in topic.FUNCTIONS.items()
}
