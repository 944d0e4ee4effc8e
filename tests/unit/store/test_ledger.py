from hypothesis import given
from hypothesis import strategies as st

from contract.store.examples import arrival, planned, shelved
from npsbridge.core.model import State
from npsbridge.core.records import Routing
from npsbridge.store import ledger

few = st.integers(0, 5)


@given(few, few, few, few, few, few, few)
def test_i2_a_routing_that_accounts_for_every_record_keeps_the_balance(  # noqa: PLR0917 - one number for each line
    filtered: int, duplicates: int, fanned_out: int, more: int, repeated: int, known: int, partly: int
) -> None:
    deliveries = [planned(f"m{number}") for number in range(fanned_out + more)] if fanned_out else []
    items = [shelved(f"k{number}") for number in range(known + partly + 1)]
    stored, anew = max(len(deliveries) - repeated, 0), len(items) - known
    unsent = stored // 2
    routing = Routing(
        journal_id=1,
        deliveries=tuple(deliveries),
        shelved=tuple(items),
        filtered=filtered,
        duplicates=duplicates,
        fanned_out=fanned_out,
        partly_shelved=partly,
    )
    entries = ledger.routed(routing, stored={State.QUEUED: stored - unsent, State.FILTERED: unsent}, shelved=anew)
    left_the_journal = filtered + duplicates + fanned_out + len(items) - partly
    settled = entries["filtered"] + entries["duplicate"] + entries["dead"]
    assert left_the_journal + entries["accepted"] == settled + stored - unsent


def test_arrivals_are_accepted_by_the_record() -> None:
    assert ledger.arrived([arrival(count=3), arrival(count=4)]) == {"accepted": 7}


def test_i2_more_records_fanned_out_than_deliveries_never_lower_what_was_accepted() -> None:
    assert ledger.routed(Routing(journal_id=1, fanned_out=3), stored={}, shelved=0)["accepted"] == 0


def test_only_states_that_end_a_delivery_have_a_counter() -> None:
    counted = {state for state in State if ledger.settled(state, 1)}
    assert counted == set(State) - {State.QUEUED, State.WAITING, State.INFLIGHT, State.HELD}
