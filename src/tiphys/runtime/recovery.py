"""Second chances: dead letters tried again, archived events sent through sensors again."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from tiphys.bus import Bus
from tiphys.bus.memory import MemoryState
from tiphys.errors import EventDecodeError, ManifestError
from tiphys.events import CloudEvent
from tiphys.runtime.standalone import Standalone
from tiphys.sensors.actions import Action
from tiphys.sensors.dead_letters import DeadLetter, DeadLetters
from tiphys.sensors.decisions import TriggerDecisions
from tiphys.sensors.delivery import TriggerDelivery
from tiphys.sensors.event import Event
from tiphys.sensors.runner import SensorRunner
from tiphys.sensors.state import ConditionState, Position


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which dead letters are meant; what is empty does not matter."""

    sensor: str = ""
    trigger: str = ""
    error: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Is *letter* among them?"""
        moment = datetime.fromisoformat(letter.time)
        return (
            self.sensor in ("", letter.sensor)
            and self.trigger in ("", letter.trigger)
            and self.error in letter.error
            and (self.since is None or moment >= self.since)
            and (self.until is None or moment < self.until)
        )


@dataclasses.dataclass(frozen=True)
class Replayed:
    """What an archived event does, or did, when it goes through a trigger again."""

    event: str
    sensor: str
    trigger: str
    actions: int


async def dead_letters(
    instance: Standalone, selection: Selection
) -> AsyncIterator[tuple[DeadLetters, int, DeadLetter]]:
    """The dead letters on all buses that are meant, each with its journal and number."""
    for opened in list(instance.buses.values()):
        letters = await DeadLetters.open(opened.bus)
        async for sequence, letter in letters.find(selection.matches, since=selection.since):
            yield letters, sequence, letter


async def find_dead_letter(
    instance: Standalone, letter_id: str
) -> tuple[DeadLetters, int, DeadLetter]:
    """
    The dead letter with that id, or whose id begins like that.

    Raises :exc:`ManifestError` when there is none.
    """
    for opened in list(instance.buses.values()):
        letters = await DeadLetters.open(opened.bus)
        if (found := await letters.get(letter_id)) is not None:
            return letters, *found
    raise ManifestError(f"there is no dead letter {letter_id!r}")


async def try_again(
    instance: Standalone, letter: DeadLetter, data: Mapping[str, bytes] | None = None
) -> None:
    """
    Run the action of a dead letter once more, as the running manifest has it.

    *data* replaces the payload of events, by dependency.  The action keeps its id, so a target that
    did it already can know.  Raises :exc:`ActionFailed`, and :exc:`ManifestError` when the trigger
    does not run here, or the events were too big to be kept.
    """
    if not letter.events:
        raise ManifestError(
            f"the events of dead letter {letter.id} were too big to be kept with it; "
            "send them again with: tiphys replay"
        )
    delivery = _delivery(instance, letter.namespace, letter.sensor, letter.trigger)
    events = {
        name: dataclasses.replace(event, data=(data or {}).get(name, event.data))
        for name, event in letter.events.items()
    }
    arguments = {name: Event(event) for name, event in events.items()}
    action = Action(letter.id, arguments, refused=letter.refused)
    await delivery.execution.runner.run(action)


async def replay(
    instance: Standalone,
    bus: Bus,
    *,
    event_source: str,
    event_name: str,
    since: datetime,
    until: datetime | None = None,
    sensor: str = "",
    trigger: str = "",
    dry_run: bool = False,
) -> AsyncIterator[Replayed]:
    """
    Send archived events through sensors again, or (*dry_run*) only tell what would come of it.

    Conditions that need several events see only the replayed ones, with a memory of their own.
    """
    through = [
        (runner, delivery, _decisions(runner, delivery))
        for runner, delivery in _interested(instance, event_source, event_name, sensor, trigger)
    ]
    subject = f"default.{event_source}.{event_name}"
    numbers = itertools.count(1)
    async for record in bus.events().read(subject, since=since, until=until):
        try:
            event = Event(CloudEvent.decode(record.body))
        except EventDecodeError:
            continue
        position = Position(next(numbers), record.stored)
        for runner, delivery, decisions in through:
            decided = await decisions.decide(event, position)
            if not dry_run:
                for decision in decided:
                    await delivery.execution.carry_out(decision.action)
            if decided:
                yield Replayed(event.id, runner.name, delivery.plan.name, len(decided))


def _interested(
    instance: Standalone, event_source: str, event_name: str, sensor: str, trigger: str
) -> list[tuple[SensorRunner, TriggerDelivery]]:
    """The running triggers that an event concerns.  Raises :exc:`ManifestError` for none."""
    found = []
    for runner in instance.sensors.values():
        for name in runner.statuses:
            delivery = runner.delivery(name)
            if sensor not in ("", runner.name) or trigger not in ("", name) or delivery is None:
                continue
            if (event_source, event_name) in delivery.plan.subjects:
                found.append((runner, delivery))
    if not found:
        wanted = f"{sensor}/{trigger}".strip("/") or "no sensor"
        raise ManifestError(f"{wanted} does not depend on {event_source}/{event_name} here")
    return found


def _decisions(runner: SensorRunner, delivery: TriggerDelivery) -> TriggerDecisions:
    """Decisions like the running ones, with an empty memory of their own."""
    memory = ConditionState(MemoryState(), delivery.plan.name, delivery.plan.dependencies)
    return delivery.decisions.with_state(memory)


def _delivery(instance: Standalone, namespace: str, sensor: str, trigger: str) -> TriggerDelivery:
    runner = instance.sensors.get(("Sensor", namespace, sensor))
    delivery = None if runner is None else runner.delivery(trigger)
    if delivery is None:
        raise ManifestError(f"the trigger {sensor}/{trigger} does not run here")
    return delivery
