"""Cron expressions: an optional zone, then fields or a descriptor."""

from __future__ import annotations

import datetime
import re

from tiphys.languages import durations, zones
from tiphys.languages._errors import CompileError, EvaluationError
from tiphys.languages._unicode import SPACES
from tiphys.languages.cron._fields import BOUNDS, Fields, parse_field
from tiphys.languages.cron._schedule import CronSchedule, Interval, Schedule

__all__ = ["parse"]

_SECOND = 1_000_000_000
_EVERY = "@every "
_FIELD = re.compile(f"[^{SPACES}]+")
_DESCRIPTORS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}


def parse(
    spec: str,
    *,
    zone: datetime.tzinfo | None = None,
    descriptors: bool = False,
    seconds: bool = False,
) -> Schedule:
    """
    Read a cron expression of five fields: minute, hour, day, month, day of the week.

    *zone* is where the fields are read unless the text begins with ``TZ=`` or ``CRON_TZ=``; None
    for the zone of the datetimes that the schedule is asked about. Manifests have no descriptors
    such as ``@daily`` and no sixth field, the seconds, in front; both can be allowed. Raises
    CompileError.
    """
    if not spec:
        raise CompileError("empty spec string")
    start = 0
    if spec.startswith(("TZ=", "CRON_TZ=")):
        zone, start = _zone(spec)
    text = spec[start:].strip(SPACES) if start else spec
    if text.startswith("@"):
        if not descriptors:
            raise CompileError(f"parser does not accept descriptors: {text}", spec, start)
        return _descriptor(text, spec, zone)
    fields = [(match[0], match.start()) for match in _FIELD.finditer(spec, start)]
    wanted = 5 + seconds
    if len(fields) != wanted:
        found = f"found {len(fields)}: [{' '.join(field for field, _ in fields)}]"
        raise CompileError(f"expected exactly {wanted} fields, {found}", spec, start)
    if not seconds:
        fields.insert(0, ("0", 0))
    return CronSchedule(_fields(fields, spec), zone)


def _zone(spec: str) -> tuple[datetime.tzinfo | None, int]:
    """The zone in front of the fields, and where they begin."""
    end = spec.find(" ")
    if end < 0:
        raise CompileError("no fields after the time zone", spec, len(spec))
    begin = spec.index("=") + 1
    name = spec[begin:end]
    try:
        return zones.load_zone(name), end
    except EvaluationError as error:
        raise CompileError(f"provided bad location {name}: {error}", spec, begin) from None


def _fields(texts: list[tuple[str, int]], spec: str) -> Fields:
    """Read six fields, each given with its place in *spec*."""
    bits, stars = {}, {}
    for (name, bounds), (text, position) in zip(BOUNDS.items(), texts, strict=True):
        bits[name], stars[name] = parse_field(text, bounds, spec, position)
    return Fields(**bits, both_days=stars["days"] or stars["weekdays"])


def _descriptor(text: str, spec: str, zone: datetime.tzinfo | None) -> Schedule:
    if text in _DESCRIPTORS:
        fields = [(field, 0) for field in _DESCRIPTORS[text].split()]
        return CronSchedule(_fields(fields, spec), zone)
    if not text.startswith(_EVERY):
        raise CompileError(f"unrecognized descriptor: {text}", spec)
    try:
        delay = durations.parse(text.removeprefix(_EVERY))
    except EvaluationError as error:
        raise CompileError(f"failed to parse duration {text}: {error}", spec) from None
    return Interval(max(delay, _SECOND) // _SECOND * _SECOND)
