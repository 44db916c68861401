"""The arguments of an operation, spelled as those of the ``argo`` command."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime

SPEC = frozenset(["parameter", "priority"])
NAMING = frozenset(["name", "generate-name", "entrypoint", "serviceaccount", "labels",
                    "scheduled-time", "instanceid"])  # fmt: skip
WAITING = frozenset(["wait", "watch"])
SELECTING = frozenset(["node-field-selector"])
HONOURED: Mapping[str, frozenset[str]] = {
    "submit": SPEC | NAMING | WAITING,
    "submit-from": SPEC | NAMING | WAITING | {"from"},
    "resubmit": SPEC | WAITING,
    "retry": SELECTING | WAITING | {"parameter", "restart-successful"},
    "resume": SELECTING,
    "suspend": frozenset(),
    "stop": SELECTING | {"message"},
    "terminate": frozenset(),
}
FLAGS = frozenset(["wait", "watch", "restart-successful", "strict", "no-color", "verbose"])
# They say what the command prints, or how carefully it reads: nothing is printed or read here.
WITHOUT_EFFECT = frozenset(["output", "strict", "no-color", "verbose"])
SHORT = {"p": "parameter", "l": "labels", "w": "wait", "o": "output", "v": "verbose",
         "n": "namespace", "f": "parameter-file"}  # fmt: skip
HINTS = {
    "namespace": "set metadata.namespace in the manifest",
    "parameter-file": "use `parameters` of the trigger, or --parameter",
    "from": "it belongs to the operation submit-from",
    "labels": "a selector of other workflows has no place here",
    "memoized": "a resubmitted workflow runs from its start",
    "dry-run": "`tiphys render` shows what would be created",
    "server-dry-run": "`tiphys render` shows what would be created",
    "log": "use --wait; the pods have the logs",
}


class ArgumentError(ValueError):
    """Arguments that cannot be honoured; the message names them."""


@dataclasses.dataclass
class Arguments:
    """What the arguments ask for; what is empty is left as it is."""

    parameters: dict[str, str] = dataclasses.field(default_factory=dict)
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    values: dict[str, str] = dataclasses.field(default_factory=dict)
    flags: set[str] = dataclasses.field(default_factory=set)

    def text(self, name: str) -> str:
        """The value of an option; empty where it is not given."""
        return self.values.get(name, "")

    @property
    def priority(self) -> int | None:
        """The priority, where one is given."""
        return int(self.values["priority"]) if "priority" in self.values else None

    @property
    def source(self) -> tuple[str, str]:
        """Kind and name that ``--from`` names; empty where it is not given."""
        kind, _, name = self.text("from").partition("/")
        return kind, name

    @property
    def waits(self) -> bool:
        """Whether the action lasts as long as the workflow."""
        return bool(self.flags & WAITING)


def parse(operation: str, args: Sequence[str]) -> Arguments:
    """
    Read the arguments of an operation.

    Raises :exc:`ArgumentError` for one that is unknown, not supported, or has a wrong value.
    """
    parsed = Arguments()
    left = list(args)
    while left:
        name, value = _option(left, HONOURED[operation])
        if name in WITHOUT_EFFECT:
            continue
        if name in FLAGS:
            _flag(parsed, name, value)
        elif name == "parameter":
            key, value = _pair(name, value)
            parsed.parameters[key] = value
        elif name == "labels":
            parsed.labels |= dict(_pair(name, part) for part in value.split(",") if part)
        else:
            _check(name, value)
            parsed.values[name] = value
    return parsed


def problems(operation: str, args: Sequence[str]) -> list[str]:
    """What :func:`parse` would raise, as a list."""
    try:
        parse(operation, args)
    except ArgumentError as error:
        return [str(error)]
    return []


def _option(left: list[str], honoured: frozenset[str]) -> tuple[str, str]:
    """Take one option with its value from the front of *left*."""
    word = left.pop(0)
    if word.startswith("--") and len(word) > 2:
        written, equals, value = word.partition("=")
        name = written[2:]
    elif word.startswith("-") and len(word) > 1 and word != "--":
        written, value = word[:2], word[2:].removeprefix("=")
        name, equals = SHORT.get(word[1], word[1]), word[2:]
    else:
        raise ArgumentError(f"args: {word!r} is no option; the workflow is named by the manifest")
    if name not in honoured | WITHOUT_EFFECT:
        hint = f": {HINTS[name]}" if name in HINTS else ""
        raise ArgumentError(f"args: {written} is not supported here{hint}")
    if not equals and name not in FLAGS:
        if not left:
            raise ArgumentError(f"args: {written} needs a value")
        value = left.pop(0)
    return name, value


def _flag(parsed: Arguments, name: str, value: str) -> None:
    if value not in ("", "true", "false"):
        raise ArgumentError(f"args: --{name} is true or false, not {value!r}")
    if value != "false":
        parsed.flags.add(name)


def _pair(name: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ArgumentError(f"args: --{name} has the form NAME=VALUE, not {text!r}")
    return key, value


def _check(name: str, value: str) -> None:
    if name == "priority":
        try:
            int(value)
        except ValueError:
            raise ArgumentError(f"args: --priority is a number, not {value!r}") from None
    if name == "from" and not all(value.partition("/")):
        raise ArgumentError(f"args: --from has the form KIND/NAME, not {value!r}")
    if name == "scheduled-time":
        try:
            datetime.fromisoformat(value)
        except ValueError:
            raise ArgumentError(f"args: --scheduled-time is no time: {value!r}") from None
    if name == "node-field-selector":
        parse_selector(value)


def parse_selector(text: str) -> list[tuple[str, bool, str]]:
    """
    The terms of a field selector: field, whether it must be equal, and the value.

    Raises :exc:`ArgumentError`.
    """
    terms = []
    for part in filter(None, text.split(",")):
        field, equals, value = part.partition("=")
        if not equals:
            raise ArgumentError(f"args: a selector has terms FIELD=VALUE, not {part!r}")
        terms.append((field.removesuffix("!"), not field.endswith("!"), value.removeprefix("=")))
    return terms
