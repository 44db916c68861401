"""The rules for names, labels and keys (RFC 1123), with the server's explanations."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tiphys.testing.kubernetes._problems import Problem

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_KEY = "[-._a-zA-Z0-9]+"
SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX = 5
LONGEST_GENERATED = 63


def subdomain(name: str) -> list[str]:
    """What is wrong with a name of most kinds."""
    problems = ["must be no more than 253 bytes"] if len(name) > 253 else []
    if not re.fullmatch(_SUBDOMAIN, name):
        problems.append(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
            "'-' or '.', and must start and end with an alphanumeric character (e.g. "
            f"'example.com', regex used for validation is '{_SUBDOMAIN}')"
        )
    return problems


def label(name: str) -> list[str]:
    """What is wrong with the name of a namespace."""
    problems = ["must be no more than 63 bytes"] if len(name) > 63 else []
    if not re.fullmatch(_LABEL, name):
        problems.append(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or "
            "'-', and must start and end with an alphanumeric character (e.g. 'my-name',  or "
            f"'123-abc', regex used for validation is '{_LABEL}')"
        )
    return problems


def path_segment(name: str) -> list[str]:
    """What is wrong with the name of a role or a binding."""
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in name]


def qualified(name: str) -> list[str]:
    """What is wrong with the key of a label or annotation."""
    prefix, slash, rest = name.rpartition("/")
    problems = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {text}" for text in subdomain(prefix)]
    if not rest:
        problems.append("name part must be non-empty")
    elif len(rest) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not re.fullmatch(_QUALIFIED, rest):
        problems.append(
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start "
            "and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or "
            f"'123-abc', regex used for validation is '{_QUALIFIED}')"
        )
    return problems


def label_value(value: str) -> list[str]:
    """What is wrong with the value of a label."""
    problems = ["must be no more than 63 bytes"] if len(value) > 63 else []
    if not re.fullmatch(_LABEL_VALUE, value):
        problems.append(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', "
            "'_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  "
            f"or 'my_value',  or '12345', regex used for validation is '{_LABEL_VALUE}')"
        )
    return problems


def data_key(key: str) -> list[str]:
    """What is wrong with a key of a ConfigMap or Secret."""
    problems = ["must be no more than 253 bytes"] if len(key) > 253 else []
    if not re.fullmatch(_KEY, key):
        problems.append(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. "
            "'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
            f"'{_KEY}')"
        )
    return problems


def label_problems(labels: Mapping[str, Any], field: str) -> Iterator[Problem]:
    """What is wrong with labels."""
    for key, value in labels.items():
        for text in qualified(key):
            yield Problem.invalid(field, key, text)
        for text in label_value(value):
            yield Problem.invalid(field, value, text)


def annotation_problems(annotations: Mapping[str, Any], field: str) -> Iterator[Problem]:
    """What is wrong with annotations."""
    for key in annotations:
        for text in qualified(key.lower()):
            yield Problem.invalid(field, key, text)
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > 256 * 1024:
        message = "Too long: may not be more than 262144 bytes"
        yield Problem("FieldValueTooLong", field, message)


def generated(prefix: str) -> str:
    """A name that starts with *prefix*."""
    suffix = "".join(random.choice(SUFFIX_LETTERS) for _ in range(SUFFIX))
    return prefix[: LONGEST_GENERATED - SUFFIX] + suffix
