"""The mechanisms against slow models that look at the whole past at once."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tiphys.bus.memory import MemoryState
from tiphys.events import CloudEvent
from tiphys.sensors.flow.absence import Absence
from tiphys.sensors.flow.batch import Batch
from tiphys.sensors.flow.control import Stage
from tiphys.sensors.flow.deadlines import Deadlines
from tiphys.sensors.flow.debounce import Debounce, LeadingDebounce
from tiphys.sensors.flow.dedupe import Dedupe
from tiphys.sensors.flow.item import Effects, Item
from tiphys.sensors.flow.memory import Memory
from tiphys.sensors.flow.ordering import KeyedQueue
from tiphys.sensors.flow.throttle import Throttle

START = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD = 10

Arrivals = list[tuple[int, str]]
ARRIVALS: st.SearchStrategy[Arrivals] = st.lists(
    st.tuples(st.integers(0, 15), st.sampled_from("xy")), max_size=30
).map(lambda gaps: _summed(gaps))
RESTARTS = st.sets(st.integers(0, 30))

Late = list[tuple[int, int, str]]
# When each is read, when the bus stored it, and its key: subscriptions are read side by side.
LATE: st.SearchStrategy[Late] = st.lists(
    st.tuples(st.integers(0, 15), st.just(0) | st.integers(0, 60), st.sampled_from("xy")),
    max_size=30,
).map(lambda entries: _delayed(entries))
# At which arrivals an earlier message comes again, and which one.
AGAIN = st.dictionaries(st.integers(1, 30), st.integers(0, 29))


def _summed(gaps: Arrivals) -> Arrivals:
    """Moments from the gaps between them."""
    moment, summed = 0, []
    for gap, key in gaps:
        moment += gap
        summed.append((moment, key))
    return summed


def _delayed(entries: Late) -> Late:
    """Moments from the gaps between the arrivals, and the delays."""
    summed = _summed([(gap, key) for gap, _, key in entries])
    return [
        (read, read - delay, key)
        for (read, key), (_, delay, _) in zip(summed, entries, strict=True)
    ]


def at(seconds: float) -> datetime:
    """A moment after the beginning."""
    return START + timedelta(seconds=seconds)


def item(number: int, moment: int, key: str) -> Item:
    """An item that came as the message *number*."""
    event = CloudEvent(f"e{number}", "a", "ev", "t", data=json.dumps({"n": number}).encode())
    keys = dict.fromkeys(("debounce", "batch", "throttle", "absence"), key)
    return Item(f"{number}.0", at(moment), number, {"a": event}, keys)


@dataclasses.dataclass
class Run:
    """
    A mechanism at work, exact to the second.

    At a restart it is made anew, with what it remembered, and what waited is offered again.
    """

    make: Callable[[MemoryState], Stage]
    state: MemoryState = dataclasses.field(default_factory=MemoryState)
    waiting: dict[str, Item] = dataclasses.field(default_factory=dict)
    passed: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    dropped: list[int] = dataclasses.field(default_factory=list)
    stage: Stage = dataclasses.field(init=False)

    async def start(self, now: int) -> None:
        self.stage = self.make(self.state)
        if self.stage.memory is not None:
            await self.stage.memory.load()
        for one in sorted(self.waiting.values(), key=lambda one: one.order):
            stored = dataclasses.replace(one, stage=self.stage.name)
            await self.apply(self.stage.offer(stored, at(now)), now)

    async def apply(self, effects: Effects, now: int) -> None:
        if self.stage.memory is not None:
            await self.stage.memory.save(at(now))
        for one in effects.passed:
            self.passed += [(now, _number(one_id)) for one_id in one.members or (one.id,)]
        self.dropped += [dropped.item.sequence for dropped in effects.dropped]
        gone = [i for one in effects.passed for i in one.members or (one.id,)]
        for one_id in gone + [dropped.item.id for dropped in effects.dropped]:
            self.waiting.pop(one_id, None)

    async def ripen(self, now: int) -> None:
        while (due := self.stage.next_due()) is not None and due <= at(now):
            second = int((due - START).total_seconds())
            await self.apply(self.stage.ripen(due, due), second)

    async def offer(self, one: Item, now: int) -> None:
        if one.id in self.waiting:
            return  # as control does
        self.waiting[one.id] = one
        await self.apply(self.stage.offer(one, at(now)), now)

    async def through(self, arrivals: Arrivals, restarts: set[int]) -> None:
        await self.through_late([(moment, moment, key) for moment, key in arrivals], restarts, {})

    async def through_late(self, arrivals: Late, restarts: set[int], again: dict[int, int]) -> None:
        items = [item(n, moment, key) for n, (_, moment, key) in enumerate(arrivals)]
        await self.start(0)
        for number, (read, _, _) in enumerate(arrivals):
            await self.ripen(read)
            if number in restarts:
                await self.start(read)
            if number in again:
                await self.offer(items[again[number] % number], read)
            await self.offer(items[number], read)
        await self.ripen(100_000)


def _number(item_id: str) -> int:
    return int(item_id.partition(".")[0])


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to the end."""
    asyncio.run(coroutine)


def by_key(arrivals: Arrivals) -> dict[str, list[tuple[int, int]]]:
    """Moment and number of the arrivals of each key."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, (moment, key) in enumerate(arrivals):
        found[key].append((moment, number))
    return found


def debounce(state: MemoryState) -> Stage:
    """The mechanism."""
    return Debounce(PERIOD, Memory(state, "t/d", "s", in_chunk=2))


def leading(state: MemoryState) -> Stage:
    """The mechanism."""
    return LeadingDebounce(PERIOD, Memory(state, "t/d", "s", in_chunk=2))


@given(ARRIVALS, RESTARTS)
def test_debounce_passes_whatever_nothing_follows_within_the_period(
    arrivals: Arrivals, restarts: set[int]
) -> None:
    machine = Run(debounce)
    run(machine.through(arrivals, restarts))

    expected = []
    for events in by_key(arrivals).values():
        for place, (moment, number) in enumerate(events):
            later = [m for m, _ in events[place + 1 :]]
            if not later or later[0] >= moment + PERIOD:
                expected.append((moment + PERIOD, number))
    assert sorted(machine.passed) == sorted(expected)
    assert len(machine.passed) + len(machine.dropped) == len(arrivals)
    assert machine.waiting == {}


@given(LATE, RESTARTS, AGAIN)
def test_debounce_passes_what_comes_late_unless_something_is_known_to_follow_it(
    arrivals: Late, restarts: set[int], again: dict[int, int]
) -> None:
    machine = Run(debounce)
    run(machine.through_late(arrivals, restarts, again))

    expected = []
    for number, (_, moment, key) in enumerate(arrivals):
        later = range(number + 1, len(arrivals))
        decided = next((n for n in later if arrivals[n][0] >= moment + PERIOD), len(arrivals))
        if not any(
            other == key and (moment, number) < (when, n) and when < moment + PERIOD
            for n, (_, when, other) in enumerate(arrivals[:decided])
        ):
            expected.append((moment + PERIOD, number))
    assert sorted(machine.passed) == sorted(expected)
    assert len(machine.passed) + len(set(machine.dropped) - _numbers(machine)) == len(arrivals)
    assert machine.waiting == {}


@given(LATE, RESTARTS, AGAIN)
def test_leading_debounce_passes_what_comes_late_unless_something_close_is_known(
    arrivals: Late, restarts: set[int], again: dict[int, int]
) -> None:
    machine = Run(leading)
    run(machine.through_late(arrivals, restarts, again))

    expected = set()
    for number, (_, moment, key) in enumerate(arrivals):
        known = [when for _, when, other in arrivals[:number] if other == key]
        if all(abs(when - moment) >= PERIOD for when in known):
            expected.add(number)
    assert _numbers(machine) == expected
    assert set(machine.dropped) == set(range(len(arrivals))) - expected


def _numbers(machine: Run) -> set[int]:
    """What passed, however often."""
    return {number for _, number in machine.passed}


@given(ARRIVALS, RESTARTS)
def test_leading_debounce_passes_whatever_follows_nothing_within_the_period(
    arrivals: Arrivals, restarts: set[int]
) -> None:
    machine = Run(leading)
    run(machine.through(arrivals, restarts))

    expected = []
    for events in by_key(arrivals).values():
        for place, (moment, number) in enumerate(events):
            if place == 0 or events[place - 1][0] + PERIOD <= moment:
                expected.append((moment, number))
    assert sorted(machine.passed) == sorted(expected)
    assert len(machine.passed) + len(machine.dropped) == len(arrivals)


@given(ARRIVALS, RESTARTS, st.integers(1, 5))
def test_a_batch_takes_what_comes_until_it_is_full_or_its_time_is_over(
    arrivals: Arrivals, restarts: set[int], count: int
) -> None:
    machine = Run(lambda _: Batch(count, PERIOD))
    run(machine.through(arrivals, restarts))

    expected = []
    for events in by_key(arrivals).values():
        rest = list(events)
        while rest:
            first = rest[0][0]
            batch = [entry for entry in rest if entry[0] < first + PERIOD][:count]
            when = batch[-1][0] if len(batch) == count else first + PERIOD
            expected += [(when, number) for _, number in batch]
            rest = rest[len(batch) :]
    assert sorted(machine.passed) == sorted(expected)
    assert machine.waiting == {}


@given(ARRIVALS, RESTARTS, st.integers(1, 3))
def test_throttle_drops_what_finds_the_period_full(
    arrivals: Arrivals, restarts: set[int], count: int
) -> None:
    def make(state: MemoryState) -> Stage:
        return Throttle(count, PERIOD, Memory(state, "t/t", "s", in_chunk=2))

    machine = Run(make)
    run(machine.through(arrivals, restarts))

    expected: list[tuple[int, int]] = []
    for events in by_key(arrivals).values():
        begun: list[tuple[int, int]] = []
        for moment, number in events:
            if sum(when > moment - PERIOD for when, _ in begun) < count:
                begun.append((moment, number))
        expected += begun
    assert sorted(machine.passed) == sorted(expected)
    assert len(machine.passed) + len(machine.dropped) == len(arrivals)


@given(ARRIVALS, RESTARTS, st.integers(1, 3))
def test_throttle_latest_acts_on_the_newest_as_soon_as_the_period_allows(
    arrivals: Arrivals, restarts: set[int], count: int
) -> None:
    def make(state: MemoryState) -> Stage:
        return Throttle(count, PERIOD, Memory(state, "t/t", "s", in_chunk=2), latest=True)

    machine = Run(make)
    run(machine.through(arrivals, restarts))

    expected: list[tuple[int, int]] = []
    for events in by_key(arrivals).values():
        expected += _latest(events, count)
    assert sorted(machine.passed) == sorted(expected)
    assert len(machine.passed) + len(machine.dropped) == len(arrivals)
    assert machine.waiting == {}


def _latest(events: list[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """Second by second: what came, and whether something may begin."""
    begun: list[tuple[int, int]] = []
    newest: int | None = None
    for second in range(events[-1][0] + 2 * PERIOD + 1):
        coming = [number for moment, number in events if moment == second]
        # What waits is let go first; then everything that comes in this second finds its place.
        for number in ([] if newest is None else [None]) + [*coming]:
            if number is not None:
                newest = number
            if newest is not None and sum(w > second - PERIOD for w, _ in begun) < count:
                begun.append((second, newest))
                newest = None
    return begun


@given(ARRIVALS, ARRIVALS, RESTARTS)
def test_absence_passes_whatever_nothing_awaited_follows_in_time(
    arrivals: Arrivals, awaited: Arrivals, restarts: set[int]
) -> None:
    machine = Run(lambda state: Absence(PERIOD, Memory(state, "t/a", "s", in_chunk=2)))

    async def both() -> None:
        await machine.start(0)
        events = [(moment, 2 * n, key, True) for n, (moment, key) in enumerate(arrivals)]
        events += [(moment, 2 * n + 1, key, False) for n, (moment, key) in enumerate(awaited)]
        for place, (moment, number, key, arms) in enumerate(sorted(events)):
            await machine.ripen(moment)
            if place in restarts:
                await machine.start(moment)
            if arms:
                await machine.offer(item(number, moment, key), moment)
            else:
                assert isinstance(machine.stage, Absence)
                await machine.apply(machine.stage.came(key, at(moment), number, at(moment)), moment)
        await machine.ripen(100_000)

    run(both())

    expected = []
    for n, (moment, key) in enumerate(arrivals):
        answers = [
            (when, 2 * m + 1)
            for m, (when, other) in enumerate(awaited)
            if other == key and (moment, 2 * n) < (when, 2 * m + 1) and when < moment + PERIOD
        ]
        if not answers:
            expected.append((moment + PERIOD, 2 * n))
    assert sorted(machine.passed) == sorted(expected)
    assert len(machine.passed) + len(machine.dropped) == len(arrivals)


@given(ARRIVALS.flatmap(lambda a: st.tuples(st.just(a), st.permutations(range(len(a))))))
def test_a_backlog_that_is_read_in_any_order_is_debounced_as_it_would_have_been(
    given_arrivals: tuple[Arrivals, list[int]],
) -> None:
    arrivals, order = given_arrivals
    live, late = debounce(MemoryState()), debounce(MemoryState())
    for number in order:
        moment, key = arrivals[number]
        assert late.offer(item(number, moment, key), at(1000)).passed == []

    passed = late.ripen(at(100_000), at(100_000)).passed
    assert _groups(live, arrivals, on_time=True) == sorted((one.id,) for one in passed)


@given(ARRIVALS, st.integers(1, 5))
def test_a_backlog_that_is_read_late_is_batched_as_it_would_have_been(
    arrivals: Arrivals, count: int
) -> None:
    live, late = Batch(count, PERIOD), Batch(count, PERIOD)

    assert _groups(live, arrivals, on_time=True) == _groups(late, arrivals, on_time=False)


def _groups(machine: Stage, arrivals: Arrivals, *, on_time: bool) -> list[tuple[str, ...]]:
    """The items that act together, sorted."""
    passed: list[Item] = []
    for number, (moment, key) in enumerate(arrivals):
        if on_time:
            passed += machine.ripen(at(moment), at(moment)).passed
        passed += machine.offer(item(number, moment, key), at(moment)).passed
    passed += machine.ripen(at(100_000), at(100_000)).passed
    return sorted(one.members or (one.id,) for one in passed)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=60, unique=True).flatmap(
        lambda events: st.tuples(st.just(sorted(events)), st.permutations(range(len(events))))
    ),
    RESTARTS,
)
def test_absence_does_not_depend_on_the_order_in_which_a_backlog_is_read(
    given_events: tuple[list[tuple[int, bool]], list[int]], restarts: set[int]
) -> None:
    events, order = given_events
    machine = Run(lambda state: Absence(PERIOD, Memory(state, "t/a", "s", in_chunk=2)))

    async def read() -> None:
        await machine.start(100)
        for place, number in enumerate(order):
            moment, arms = events[number]
            if place in restarts:
                await machine.start(100)
            if arms:
                await machine.offer(item(number, moment, "x"), 100)
            else:
                assert isinstance(machine.stage, Absence)
                await machine.apply(machine.stage.came("x", at(moment), number, at(100)), 100)
        await machine.ripen(1000)

    run(read())

    assert _numbers(machine) == {
        number
        for number, (moment, arms) in enumerate(events)
        if arms
        and not any(
            not other and (moment, number) < (when, place) and when < moment + PERIOD
            for place, (when, other) in enumerate(events)
        )
    }


@given(ARRIVALS, RESTARTS)
def test_dedupe_passes_one_event_of_a_key_in_a_window(
    arrivals: Arrivals, restarts: set[int]
) -> None:
    state = MemoryState()
    passed: list[int] = []

    async def through() -> None:
        dedupe = Dedupe(PERIOD, Memory(state, "t/d", "s", in_chunk=2))
        for number, (moment, key) in enumerate(arrivals):
            if number in restarts:
                dedupe = Dedupe(PERIOD, Memory(state, "t/d", "s", in_chunk=2))
                await dedupe.memory.load()
            again = [dedupe.is_new(key, at(moment), number) for _ in range(2)]
            assert again[0] == again[1]  # a message that comes again fares as before
            await dedupe.memory.save(at(moment))
            if again[0]:
                passed.append(number)

    run(through())

    expected = []
    for events in by_key(arrivals).values():
        last: int | None = None
        for moment, number in events:
            if last is None or moment >= last + PERIOD:
                expected.append(number)
                last = moment
    assert passed == sorted(expected)


@given(
    st.lists(st.one_of(st.sampled_from(["a", "b", "c", None]), st.integers(0, 9)), max_size=60),
    st.integers(1, 4),
)
def test_the_queue_keeps_the_order_of_keys_and_the_bound(
    actions: list[str | int | None], concurrency: int
) -> None:
    queue: KeyedQueue[int] = KeyedQueue(concurrency)
    running: list[tuple[str | None, int]] = []
    begun: list[tuple[str | None, int]] = []
    added: list[tuple[str | None, int]] = []

    def pump() -> None:
        while (entry := queue.begin()) is not None:
            running.append(entry)
            begun.append(entry)
        keys = [key for key, _ in running if key is not None]
        assert len(keys) == len(set(keys))
        assert len(running) <= concurrency
        waiting = [key for key, _ in added[:] if (key, _) not in begun]
        could = [key for key in waiting if key is None or key not in keys]
        assert len(running) == concurrency or not could

    for number, action in enumerate(actions):
        if not isinstance(action, int):
            added.append((action, number))
            queue.add(action, number)
        elif running:
            queue.end(running.pop(action % len(running))[0])
        pump()
    while running:
        queue.end(running.pop(0)[0])
        pump()

    assert len(queue) == 0
    assert sorted(begun, key=str) == sorted(added, key=str)
    for key in "abc":
        assert [n for k, n in begun if k == key] == [n for k, n in added if k == key]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["set", "hasten", "discard", "take"]),
            st.sampled_from("abcd"),
            st.integers(0, 20),
        )
    )
)
def test_deadlines_are_those_of_a_plain_map(actions: list[tuple[str, str, int]]) -> None:
    deadlines: Deadlines[str] = Deadlines()
    model: dict[str, datetime] = {}
    for action, key, second in actions:
        moment = at(second)
        if action == "set":
            deadlines.set(key, moment)
            model[key] = moment
        elif action == "hasten":
            deadlines.hasten(key, moment)
            model[key] = min(moment, model.get(key, moment))
        elif action == "discard":
            deadlines.discard(key)
            model.pop(key, None)
        else:
            taken = deadlines.take(moment)
            assert set(taken) == {k for k, due in model.items() if due <= moment}
            assert [model[k] for k in taken] == sorted(model[k] for k in taken)
            model = {k: due for k, due in model.items() if due > moment}
        assert deadlines.next() == min(model.values(), default=None)
