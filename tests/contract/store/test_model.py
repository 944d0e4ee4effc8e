"""Journal, outbox and ledger against a model in memory, over any sequence of steps and restarts."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import databases
from contract.store.examples import ENGINES, MODEL_RUNS, START, Wall, arrival, held_back, planned, remembered, shelved
from npsbridge.clock import Clock
from npsbridge.core.model import State
from npsbridge.core.records import Ledger, Retention, Routing, Settlement
from npsbridge.core.storage import Store
from npsbridge.store import open_store

T = TypeVar("T")
OWED = (State.QUEUED, State.WAITING, State.INFLIGHT)
CONNECTIONS = ("segment", "heap")
NOTHING_KEPT = Retention(journal=0, delivered=0, dead=0)
fates = st.sampled_from(["filtered", "duplicate", "held back", "shelved", "owed"])
# Mostly those that keep a delivery owed, which are the ones that claims are about.
states = st.sampled_from([*State, State.WAITING, State.WAITING, State.WAITING, State.INFLIGHT, State.QUEUED])
messages = st.tuples(st.sampled_from(CONNECTIONS), st.sampled_from("abcdefgh"))


@dataclass
class Owed:
    message: str
    connection: str
    person: str
    state: State = State.QUEUED
    next_attempt_at: int | None = None


@dataclass
class Model:
    """The same promises in the plainest form; deliveries by their number."""

    unrouted: list[int] = field(default_factory=list)
    settling: list[str] = field(default_factory=list)
    outbox: dict[int, Owed] = field(default_factory=dict)
    shelf: set[str] = field(default_factory=set)
    hints: dict[str, int] = field(default_factory=dict)
    """When each was first heard of."""
    lines: Counter[str] = field(default_factory=Counter)

    def count(self, **entries: int) -> None:
        self.lines.update(entries)

    def has(self, connection: str, message: str) -> bool:
        return any((one.connection, one.message) == (connection, message) for one in self.outbox.values())

    def number_of(self, states: tuple[State, ...]) -> int:
        return sum(one.state in states for one in self.outbox.values())

    def ledger(self) -> Ledger:
        waiting = sum(self.unrouted) + len(self.settling) + self.number_of(OWED)
        return Ledger(waiting=waiting, held=self.number_of((State.HELD,)), **self.lines)

    def claim(self, connection: str, now: int, limit: int, after: int) -> list[int]:
        claimed: list[int] = []
        held_up: set[str] = set()
        for number, one in sorted(self.outbox.items()):
            if one.connection != connection or number <= after or one.state not in OWED:
                continue
            is_due = one.state is State.WAITING and one.next_attempt_at is not None and one.next_attempt_at <= now
            if one.person not in held_up and (one.state is State.QUEUED or is_due):
                claimed.append(number)
            else:
                held_up.add(one.person)
        return claimed[:limit]


class StoreMachine(RuleBasedStateMachine):
    """Drives a store and the model side by side."""

    def __init__(self, engine: str) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.wall = Wall()
        self.model = Model()
        self.made = 0
        self.url = ENGINES[engine](Path(self.folder.name))
        self.open()

    def open(self) -> None:
        self.opening = open_store(self.url, clock=Clock(self.wall))
        self.store: Store = self.run(self.opening.__aenter__())

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(step)

    def teardown(self) -> None:
        self.run(self.opening.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()
        databases.take_back()

    @rule(counts=st.lists(st.integers(0, 4), max_size=3))
    def arrive(self, counts: list[int]) -> None:
        self.run(self.store.append([arrival(count=count) for count in counts]))
        self.model.unrouted += counts
        self.model.count(accepted=sum(counts))

    @rule(data=st.data())
    def route_the_oldest(self, data: st.DataObject) -> None:
        entries = self.run(self.store.unrouted(1))
        assert [entry.count for entry in entries] == self.model.unrouted[:1]
        for entry in entries:
            self.model.unrouted.pop(0)
            fate = data.draw(st.lists(fates, min_size=entry.count, max_size=entry.count))
            routing = self.decided(fate, data, entry.id)
            self.run(self.store.commit_routing([routing, routing]))

    @rule(data=st.data())
    def release_what_was_held_back(self, data: st.DataObject) -> None:
        due = self.run(self.store.settled_responses(now=START * 2, limit=2))
        for one in due:
            self.model.settling.remove(one.response.id)
        fate = data.draw(st.lists(st.sampled_from(["filtered", "owed"]), min_size=len(due), max_size=len(due)))
        decided = self.decided(fate, data, None)
        released = tuple(remembered(one.response.id) for one in due)
        self.run(self.store.commit_routing([_released(decided, released)]))

    def decided(self, fate: list[str], data: st.DataObject, journal_id: int | None) -> Routing:
        """A routing with these fates, which the model takes as well."""
        wanted = [data.draw(st.lists(messages, min_size=1, max_size=3)) for one in fate if one == "owed"]
        deliveries = [planned(message, f"p{ord(message) % 3}", name) for some in wanted for name, message in some]
        keys = [data.draw(st.sampled_from("xyz")) for one in fate if one == "shelved"]
        held = [f"r{self.made + number}" for number in range(fate.count("held back"))]
        self.made += len(held)
        self.model.settling += held
        self.model.count(filtered=fate.count("filtered"), duplicate=fate.count("duplicate"))
        self.model.count(accepted=len(deliveries) - len(wanted))
        self.owe([(delivery.connection, delivery.message_id, delivery.person) for delivery in deliveries])
        for key in keys:
            self.shelve_in_model(key)
        return Routing(
            journal_id=journal_id,
            responses=tuple(held_back(number) for number in held),
            deliveries=tuple(deliveries),
            shelved=tuple(shelved(key) for key in keys),
            filtered=fate.count("filtered"),
            duplicates=fate.count("duplicate"),
            settling=len(held),
            fanned_out=len(wanted),
        )

    def owe(self, wanted: list[tuple[str, str, str]]) -> None:
        for connection, message, person in wanted:
            if self.model.has(connection, message):
                self.model.count(duplicate=1)
            else:
                # The store's own numbers are not the model's; only their order has to agree.
                number = max(self.model.outbox, default=0) + 1
                self.model.outbox[number] = Owed(message, connection, person)

    def shelve_in_model(self, key: str) -> None:
        self.model.count(**({"duplicate": 1} if key in self.model.shelf else {"dead": 1}))
        self.model.shelf.add(key)

    @rule(key=st.sampled_from("xyz"))
    def shelve_a_page(self, key: str) -> None:
        self.run(self.store.shelve(shelved(key)))
        if key not in self.model.shelf:
            self.model.count(accepted=1, dead=1)
        self.model.shelf.add(key)

    @rule(
        connection=st.sampled_from(CONNECTIONS),
        now=st.integers(START, START + 20),
        limit=st.integers(1, 5),
        skipped=st.integers(0, 3),
    )
    def claim(self, connection: str, now: int, limit: int, skipped: int) -> None:
        before = self.run(self.store.claim(connection, now=now, limit=100))
        after = before[skipped].id if skipped < len(before) else 0
        found = self.run(self.store.claim(connection, now=now, limit=limit, after=after))
        numbers = self.model.claim(connection, now, limit, self.number_in_model(before[skipped]) if after else 0)
        assert [one.message_id for one in found] == [self.model.outbox[number].message for number in numbers]

    def number_in_model(self, delivery: Any) -> int:
        key = (delivery.connection, delivery.message_id)
        return next(number for number, one in self.model.outbox.items() if (one.connection, one.message) == key)

    @rule(data=st.data())
    def settle_some(self, data: st.DataObject) -> None:
        listed = [one for one in self.run(self.store.deliveries(limit=1_000)) if one.connection in CONNECTIONS]
        chosen = data.draw(st.lists(st.sampled_from(listed), max_size=4)) if listed else []
        settlements = []
        for delivery in chosen:
            state = data.draw(states)
            due = START + data.draw(st.integers(0, 20)) if state is State.WAITING else None
            settlements.append(Settlement(id=delivery.id, state=state, next_attempt_at=due))
            self.settle_in_model(self.number_in_model(delivery), state, due)
        self.run(self.store.settle(settlements))

    def settle_in_model(self, number: int, state: State, due: int | None) -> None:
        one = self.model.outbox[number]
        if one.state in OWED:
            one.state, one.next_attempt_at = state, due
            if state not in {*OWED, State.HELD}:
                self.model.count(**{state.value: 1})

    @rule()
    def purge_everything_that_may_go(self) -> None:
        while self.run(self.store.purge(now=START, retention=NOTHING_KEPT)):
            pass
        stays = {*OWED, State.HELD}
        self.model.outbox = {number: one for number, one in self.model.outbox.items() if one.state in stays}
        self.model.shelf.clear()

    @rule(counts=st.lists(st.integers(1, 4), min_size=1, max_size=3))
    def go_away_in_the_midst_of_an_arrival(self, counts: list[int]) -> None:
        """Nobody is told what became of it: it is there as a whole, or not at all."""

        async def begin_and_go() -> None:
            writing = asyncio.ensure_future(self.store.append([arrival(count=count) for count in counts]))
            await asyncio.sleep(0)
            writing.cancel()
            await asyncio.wait([writing])

        self.run(begin_and_go())
        self.restart()
        arrived = self.run(self.store.ledger()).accepted - self.model.ledger().accepted
        assert arrived in {0, sum(counts)}
        if arrived:
            self.model.unrouted += counts
            self.model.count(accepted=sum(counts))

    @rule(hints=st.lists(st.sampled_from("abcd"), max_size=3, unique=True), heard_at=st.integers(START, START + 9))
    def hear_of(self, hints: list[str], heard_at: int) -> None:
        self.run(self.store.note_hints("retently", hints, heard_at=heard_at))
        for hint in hints:
            self.model.hints.setdefault(hint, heard_at)

    @rule(hints=st.lists(st.sampled_from("abcd"), max_size=3, unique=True))
    def read_back(self, hints: list[str]) -> None:
        self.run(self.store.forget_hints("retently", hints))
        for hint in hints:
            self.model.hints.pop(hint, None)

    @invariant()
    def hints_are_those_of_the_model(self) -> None:
        found = self.run(self.store.hints("retently", 100))
        assert {one.hint: one.heard_at for one in found} == self.model.hints
        assert not self.run(self.store.hints("promoter", 100))

    @rule()
    def restart(self) -> None:
        self.run(self.opening.__aexit__(None, None, None))
        self.open()

    @invariant()
    def i2_the_ledger_is_that_of_the_model_and_balances(self) -> None:
        found = self.run(self.store.ledger())
        assert found == self.model.ledger()
        assert found.imbalance == 0

    @invariant()
    def depths_are_those_of_the_model(self) -> None:
        expected = Counter((one.connection, one.state) for one in self.model.outbox.values())
        expected += Counter({("delighted", State.DEAD): len(self.model.shelf)})
        delivered = {(name, State.DELIVERED) for name in CONNECTIONS}
        found = self.run(self.store.depths())
        assert found == {key: count for key, count in expected.items() if key not in delivered}


def _released(decided: Routing, responses: tuple[Any, ...]) -> Routing:
    return Routing(
        journal_id=None,
        responses=responses,
        deliveries=decided.deliveries,
        filtered=decided.filtered,
        settling=-len(responses),
        fanned_out=decided.fanned_out,
    )


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_i2_i4_i5_whatever_happens_the_store_does_what_the_model_does(engine: str) -> None:
    steps = settings(
        max_examples=MODEL_RUNS[engine],
        stateful_step_count=40,
    )
    machine: Any = partial(StoreMachine, engine)
    run_state_machine_as_test(machine, settings=steps)
