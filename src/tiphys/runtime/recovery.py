"""Second chances for dead letters."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from tiphys.errors import ManifestError
from tiphys.runtime.standalone import Standalone
from tiphys.sensors.actions import action_of
from tiphys.sensors.dead_letters import DeadLetter, DeadLetters
from tiphys.sensors.delivery import TriggerDelivery


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

    Raises :exc:`ManifestError` when there is none, or several begin like that.
    """
    if not letter_id:  # every id begins like that
        raise ManifestError("the id of the dead letter is empty")
    found = []
    for opened in list(instance.buses.values()):
        letters = await DeadLetters.open(opened.bus)
        if (entry := await letters.get(letter_id)) is not None:
            found.append((letters, *entry))
    found = [entry for entry in found if entry[2].id == letter_id] or found
    if not found:
        raise ManifestError(f"there is no dead letter {letter_id!r}")
    if len({letter.id for _, _, letter in found}) > 1:
        raise ManifestError(f"dead letters on several buses begin with {letter_id!r}; write more")
    return found[0]


async def try_again(
    instance: Standalone, letter: DeadLetter, data: Mapping[str, bytes] | None = None
) -> None:
    """
    Run the action of a dead letter once more, as the running manifest has it, in its turn.

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
    action = action_of(letter, data or {})
    await delivery.in_turn(action.events, lambda: delivery.execution.runner.run(action))


def _delivery(instance: Standalone, namespace: str, sensor: str, trigger: str) -> TriggerDelivery:
    runner = instance.sensors.get(("Sensor", namespace, sensor))
    delivery = None if runner is None else runner.delivery(trigger)
    if delivery is None:
        raise ManifestError(f"the trigger {sensor}/{trigger} does not run here")
    return delivery
