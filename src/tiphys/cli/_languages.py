"""The languages of manifests behind one call each, for `tiphys eval`."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from tiphys.errors import TiphysError
from tiphys.languages import (
    cron,
    expr,
    gjson,
    govaluate,
    jq,
    jsonpath,
    lua,
    paths,
    regexp,
    sjson,
    template,
    zones,
)
from tiphys.languages.expr import source_filter
from tiphys.languages.lua import WorkerPool

Language = Literal[
    "gjson",
    "jsonpath",
    "template",
    "expr",
    "govaluate",
    "lua",
    "jq",
    "regexp",
    "cron",
    "sjson",
]
TIMES = 5  # of a cron schedule that are shown
T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Options:
    """What some languages need beside expression and document."""

    value: str | None = None
    zone: str = ""
    fields: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Printed:
    """One result: as JSON, and (*text*) without quotes where it is a text."""

    json: str
    text: str | None = None


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What came out; *remark* is for people, *exists* is false where nothing was found."""

    results: list[Printed]
    remark: str = ""
    exists: bool = True


def _gjson(expression: str, document: str, _options: Options) -> Evaluation:
    return _found(gjson.compile(expression).get(gjson.Document(_json_text(document))))


def _jsonpath(expression: str, document: str, _options: Options) -> Evaluation:
    return _found(jsonpath.compile(expression).get(gjson.Document(_json_text(document))))


def _found(found: gjson.Result) -> Evaluation:
    if not found.exists:
        return Evaluation([], "does not exist", exists=False)
    text = found.string() if found.type is gjson.Kind.STRING else None
    return Evaluation([Printed(found.raw, text)], f"type {found.type.value}, exists")


def _template(expression: str, document: str, _options: Options) -> Evaluation:
    compiled = template.compile(expression)
    rendered = compiled.render(gjson.parse(_json_text(document)).value())
    remark = ""
    if rendered in ("", "<no value>"):
        remark = "a parameter or filter takes this for a failure: the result is empty"
    return Evaluation([_text(rendered)], remark)


def _expr(expression: str, document: str, _options: Options) -> Evaluation:
    compiled = expr.compile(expression, source_filter.functions())
    members = _object(document)
    known = source_filter.expand({k.replace("-", "_"): v for k, v in members.items()})
    result = compiled.evaluate(known)
    remark = "" if isinstance(result, bool) else "a filter needs true or false: it drops the event"
    return Evaluation([_value(result)], remark)


def _govaluate(expression: str, document: str, options: Options) -> Evaluation:
    compiled = govaluate.compile(expression)
    values = _fields(document, options.fields) if options.fields else _object(document)
    result = compiled.evaluate(values)
    remark = "" if isinstance(result, bool) else "a filter passes only for true"
    return Evaluation([_value(result)], remark)


def _fields(document: str, fields: list[str]) -> dict[str, Any]:
    values = {}
    source = gjson.Document(_json_text(document))
    for field in fields:
        name, equals, path = field.partition("=")
        if not equals:
            raise TiphysError(f"--field {field}: write it as NAME=PATH")
        found = paths.compile(path).get(source)
        if not found.exists:
            raise TiphysError(f"path '{path}' does not exist")
        values[name] = found.value()
    return values


def _lua(expression: str, document: str, _options: Options) -> Evaluation:
    script = lua.compile(expression)
    data = _json_text(document).encode()
    found = _in_workers(lambda pool: script.value(pool, data))
    remark = f"type {found.type}"
    if found.type == "string":
        return Evaluation([_text(found.text)], remark)
    return Evaluation([Printed("null" if found.type == "nil" else found.text)], remark)


def _jq(expression: str, document: str, _options: Options) -> Evaluation:
    program = jq.compile(expression)
    data = _json_text(document).encode()
    outputs = _in_workers(lambda pool: program.outputs(pool, data))
    results = [_printed(output.decode()) for output in outputs]
    remark = "" if results else "no output"
    if len(results) > 1:
        remark = "a transform takes the first output"
    return Evaluation(results, remark, exists=bool(results))


def _regexp(expression: str, document: str, _options: Options) -> Evaluation:
    pattern = regexp.compile(expression)
    try:
        text = json.loads(document)
    except ValueError:
        text = document
    match = pattern.find(text if isinstance(text, str) else document)
    if match is None:
        return Evaluation([], "does not match", exists=False)
    named = zip(pattern.names, match.groups, strict=True)
    groups = {name or str(number): group for number, (name, group) in enumerate(named)}
    remark = f"matches; groups {json.dumps(groups, ensure_ascii=False)}" if groups else "matches"
    return Evaluation([_text(match.groups[0] or "")], remark)


def _cron(expression: str, document: str, options: Options) -> Evaluation:
    zone = zones.load_zone(options.zone) if options.zone else None
    schedule = cron.parse(expression, zone=zone)
    moment = _start(document)
    results = []
    for _ in range(TIMES):
        following = schedule.next(moment)
        if following is None:
            break
        moment = following
        shown = moment if zone is None else moment.astimezone(zone)
        results.append(_text(shown.isoformat()))
    remark = "" if results else "never within five years"
    return Evaluation(results, remark, exists=bool(results))


def _start(document: str) -> datetime:
    text = document.strip().strip('"')
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise TiphysError(f"{text!r} is no time such as 2026-01-31T08:30:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _sjson(expression: str, document: str, options: Options) -> Evaluation:
    text = document.strip() or None
    if options.value is None:
        return Evaluation([Printed(sjson.delete(text or "", expression))])
    try:
        value = json.loads(options.value)
    except ValueError:
        value = options.value
    if isinstance(value, str):
        return Evaluation([Printed(sjson.set_value(text, expression, value))])
    return Evaluation([Printed(sjson.set_raw(text, expression, options.value))])


LANGUAGES: dict[Language, Callable[[str, str, Options], Evaluation]] = {
    "gjson": _gjson,
    "jsonpath": _jsonpath,
    "template": _template,
    "expr": _expr,
    "govaluate": _govaluate,
    "lua": _lua,
    "jq": _jq,
    "regexp": _regexp,
    "cron": _cron,
    "sjson": _sjson,
}


def _in_workers(evaluate: Callable[[WorkerPool], Awaitable[T]]) -> T:
    """Evaluate with a pool of one worker, as sensors do."""

    async def evaluated() -> T:
        pool = WorkerPool(size=1)
        try:
            return await evaluate(pool)
        finally:
            await pool.close()

    return asyncio.run(evaluated())


def _json_text(document: str) -> str:
    """*document*, which is an empty object where it is not given.  Raises :exc:`TiphysError`."""
    text = document.strip() or "{}"
    if not gjson.valid(text):
        try:
            json.loads(text)
        except ValueError as error:
            raise TiphysError(f"the document is not JSON: {error}") from error
    return text


def _object(document: str) -> dict[str, Any]:
    """The members of the document, every number a float."""
    value = gjson.parse(_json_text(document)).value()
    if not isinstance(value, dict):
        raise TiphysError("the document is not a JSON object, whose members are the names")
    return value


def _printed(text: str) -> Printed:
    """JSON text."""
    return Printed(text, json.loads(text) if text.startswith('"') else None)


def _text(text: str) -> Printed:
    return Printed(json.dumps(text, ensure_ascii=False), text)


def _value(value: Any) -> Printed:
    """A result of an expression, whole numbers without a fraction."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return Printed(str(value))
    return Printed(json.dumps(_whole(value), ensure_ascii=False, default=str))


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(element) for element in value]
    return value
