"""What a person decides, mixed with all that happens by itself, against the model in memory."""

from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from contract.store.examples import ENGINES, MODEL_RUNS, arrival, planned
from contract.store.test_model import CONNECTIONS, Owed, StoreMachine
from npsbridge.core.model import Delivery, State
from npsbridge.core.records import Routing, Settlement

DROPPABLE = (State.QUEUED, State.WAITING, State.HELD, State.DEAD)


class SteeredMachine(StoreMachine):
    """Somebody retries, drops and sends again, whatever the state of what they name."""

    @initialize(settled=st.lists(st.sampled_from([State.DELIVERED, State.DEAD, State.HELD, State.QUEUED]), min_size=8))
    def begin_with_something(self, settled: list[State]) -> None:
        """Some deliveries of every sort, so that there is something to decide."""
        self.run(self.store.append([arrival(count=1)]))
        (entry,) = self.run(self.store.unrouted(1))
        wanted = [(name, message, f"p{ord(message) % 3}") for name in CONNECTIONS for message in "abcdefgh"]
        deliveries = tuple(planned(message, person, name) for name, message, person in wanted)
        self.run(self.store.commit_routing([Routing(journal_id=entry.id, deliveries=deliveries, fanned_out=1)]))
        self.model.count(accepted=len(wanted))
        self.owe(wanted)
        for one, state in zip(self.run(self.store.deliveries()), settled, strict=False):
            self.run(self.store.settle([Settlement(id=one.id, state=state)]))
            self.settle_in_model(self.number_in_model(one), state, None)

    def named(self, data: st.DataObject, states: tuple[State, ...]) -> list[Delivery]:
        """Some deliveries, perhaps none; often all of them in these states, else any."""
        listed = [one for one in self.run(self.store.deliveries(limit=1_000)) if one.connection in CONNECTIONS]
        fitting = [one for one in listed if one.state in states]
        return (
            data.draw(st.just(fitting) | st.lists(st.sampled_from(listed), max_size=4, unique=True)) if listed else []
        )

    def moved(self, named: list[Delivery], states: tuple[State, ...], to: State, **entry: int) -> int:
        """How many change in the model; each moves the ledger by `entry`, and a dead one leaves the dead."""
        found = [self.model.outbox[self.number_in_model(one)] for one in named]
        changing = [one for one in found if one.state in states]
        for one in changing:
            self.model.count(**entry)
            self.model.count(dead=-1 if one.state is State.DEAD else 0)
            self.put(one, to)
        return len(changing)

    @staticmethod
    def put(one: Owed, state: State) -> None:
        one.state, one.next_attempt_at = state, None

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        named = self.named(data, (State.DEAD, State.HELD))
        expected = self.moved(named, (State.DEAD, State.HELD), State.QUEUED)
        assert self.run(self.store.requeue([one.id for one in named])) == expected

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        named = self.named(data, DROPPABLE)
        expected = self.moved(named, DROPPABLE, State.FILTERED, filtered=1)
        assert self.run(self.store.drop([one.id for one in named], because="by hand")) == expected

    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        named = self.named(data, (State.DELIVERED,))
        expected = self.moved(named, (State.DELIVERED,), State.QUEUED, accepted=1)
        assert self.run(self.store.send_again([one.id for one in named])) == expected

    @rule(is_journaled=st.booleans())
    def clear_the_shelf(self, *, is_journaled: bool) -> None:
        shelf = [one for one in self.run(self.store.deliveries(limit=1_000)) if one.connection not in CONNECTIONS]
        items = {one.id: arrival() if is_journaled else None for one in shelf}
        assert self.run(self.store.unshelve(items)) == len(self.model.shelf)
        self.model.count(dead=-len(shelf), filtered=0 if is_journaled else len(shelf))
        self.model.unrouted += [1] * len(shelf) if is_journaled else []
        self.model.shelf.clear()


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_i2_i5_whatever_a_person_decides_the_ledger_is_that_of_the_model(engine: str) -> None:
    steps = settings(
        max_examples=MODEL_RUNS[engine],
        stateful_step_count=40,
    )
    machine: Any = partial(SteeredMachine, engine)
    run_state_machine_as_test(machine, settings=steps)
