"""``tiphys render``: what a trigger would send or create, and why."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from tiphys.cli.send import payload
from tiphys.errors import ManifestError, TiphysError
from tiphys.manifests.findings import nearest
from tiphys.observe import logs
from tiphys.testing.pipelines import (
    Action,
    Given,
    Judgement,
    Pipeline,
    Run,
    as_yaml,
    event,
    moment,
    recorded,
)

_NAMED = re.compile(r"([A-Za-z][\w-]*)=(.*)", re.DOTALL)
_METAVAR = "[DEPENDENCY=]JSON|@FILE"


def render(
    sensor: Annotated[str, typer.Argument(metavar="SENSOR", help="Name of the Sensor.")],
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", "-f", metavar="PATH", help="Manifests; this folder if absent."),
    ] = None,
    trigger: Annotated[str, typer.Option(help="Only this trigger.")] = "",
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", metavar=_METAVAR, help="An event with this payload."),
    ] = None,
    body: Annotated[
        list[str] | None,
        typer.Option("--body", "-b", metavar=_METAVAR, help="An event of a webhook."),
    ] = None,
    archived: Annotated[
        list[Path] | None,
        typer.Option("--recorded", metavar="FILE", help="One from `tiphys events record`."),
    ] = None,
    at: Annotated[str, typer.Option(help="When the events come; now if absent.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """
    Show what the triggers of a sensor would send or create for some events, and why.

    Nothing is sent, and no secret is read.  With several dependencies each event says for which
    one it is: `-d push=@push.json -d approval='{}'`.  Exit status: 0 something acts, 1 nothing does
    or an action fails.
    """
    logs.set_up("human", "error", sys.stderr)
    pipeline = Pipeline(files or [Path()])
    if sensor not in pipeline.sensors:
        raise TiphysError(f"there is no Sensor {sensor!r}{nearest(sensor, pipeline.sensors)}")
    names = pipeline.sensors[sensor].names
    if trigger and trigger not in names:
        raise TiphysError(f"{sensor} has no trigger {trigger!r}{nearest(trigger, names)}")
    events = list(_events(pipeline, sensor, data or [], body or [], archived or [], at))
    if not events:
        raise TiphysError("there is no event; give one with --data, --body or --recorded")
    run = pipeline.run(events)
    chosen = [trigger] if trigger else names
    if as_json:
        typer.echo(json.dumps(_as_json(run, sensor, chosen), indent=2, ensure_ascii=False))
    else:
        typer.echo(_as_text(pipeline, run, sensor, chosen), nl=False)
    actions = [action for name in chosen for action in run.of(name, sensor)]
    if not actions or any(action.error for action in actions):
        raise typer.Exit(1)


def _events(
    pipeline: Pipeline,
    sensor: str,
    data: Iterable[str],
    bodies: Iterable[str],
    archived: Iterable[Path],
    at: str,
) -> Iterator[Given]:
    when = moment(at) if at else datetime.now(UTC)
    for argument, option in [*((d, "data") for d in data), *((b, "body") for b in bodies)]:
        named = _NAMED.fullmatch(argument)
        dependency, text = named.groups() if named else ("", argument)
        source, name = _subject(pipeline, sensor, dependency)
        yield event(source, name, at=when, **{option: payload(text)})
    for path in archived:
        yield from recorded(path)


def _subject(pipeline: Pipeline, sensor: str, dependency: str) -> tuple[str, str]:
    """The event that a dependency is on."""
    known = pipeline.sensors[sensor].dependencies
    if not dependency:
        subjects = {(plan.event_source, plan.event_name) for plan in known.values()}
        if len(subjects) == 1:
            return subjects.pop()
        raise ManifestError(
            f"{sensor} depends on several events; say which one is meant: "
            f"--data {next(iter(known))}=JSON (one of {', '.join(known)})"
        )
    if dependency not in known:
        raise ManifestError(
            f"{sensor} has no dependency {dependency!r}{nearest(dependency, known)}"
        )
    return known[dependency].event_source, known[dependency].event_name


def _as_text(pipeline: Pipeline, run: Run, sensor: str, names: list[str]) -> str:
    """YAML of the actions, with the reasons as comments."""
    lines = []
    for number, each in enumerate(run.events, 1):
        lines.append(f"event {number}: {each.source}/{each.subject} at {each.time}")
        lines += _judged(j for j in run.judgements if j.number == number and j.owner != sensor)
        for dependency in pipeline.sensors[sensor].dependencies:
            mine = (j for j in run.judgements if j.number == number and j.owner == sensor)
            lines += _judged(j for j in mine if j.dependency == dependency)
    blocks = [_comments(lines)]
    for name in names:
        blocks.append(_trigger_text(pipeline, run, sensor, name))
    return "---\n".join(blocks)


def _judged(judgements: Iterable[Judgement]) -> Iterator[str]:
    for found in judgements:
        place = f"{found.dependency}, {found.path}" if found.dependency else found.path
        text = " ".join(found.text.split())
        if found.passed:
            yield f"  {place}: passes: {text}"
        else:
            yield f"  {place}: refuses: {found.reason or text}"


def _trigger_text(pipeline: Pipeline, run: Run, sensor: str, name: str) -> str:
    actions = run.of(name, sensor)
    if not actions:
        broken = pipeline.sensors[sensor].broken.get(name)
        reasons = [broken] if broken else list(dict.fromkeys(run.reasons(name, sensor)))
        why = reasons or ["no event came to it"]
        return _comments([f"{sensor}/{name} does not act", *(f"  {reason}" for reason in why)])
    return "---\n".join(_action_text(action) for action in actions)


def _action_text(action: Action) -> str:
    ids = ", ".join(f"{name}: {found.id}" for name, found in action.events.items())
    verb = "fails" if action.error else "acts"
    head = [f"{action.sensor}/{action.trigger} {verb} on event {action.number} ({ids})"]
    return _comments(head) + as_yaml(action.document())


def _comments(lines: Iterable[str]) -> str:
    return "".join(f"# {line}\n" for text in lines for line in text.splitlines())


def _as_json(run: Run, sensor: str, names: list[str]) -> dict[str, Any]:
    return {
        "filters": [
            {
                "event": found.number,
                "owner": found.owner,
                "dependency": found.dependency,
                "path": found.path,
                "text": found.text,
                "passed": found.passed,
                "reason": found.reason,
            }
            for found in run.judgements
        ],
        "triggers": [
            {
                "trigger": name,
                "actions": [
                    {"event": action.number, **action.document()} for action in run.of(name, sensor)
                ],
                "reasons": run.reasons(name, sensor),
            }
            for name in names
        ],
    }
