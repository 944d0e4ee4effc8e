"""The ledger's rules: what each write adds to which line, so that nothing can be lost without being seen.

    accepted = delivered + waiting + dead + held + filtered + duplicate + expired + erased      (contract §8.6)

Two kinds of lines face each other. `waiting` and `held` are counted from the rows that exist at the moment of reading:
journal entries to be routed (each by its number of records), responses that are held back, deliveries that are owed or
in doubt. All other lines are counters, moved in the transaction of what they count. A row that vanishes, or a record
that no decision accounts for, is therefore missing on one side only, and `Ledger.imbalance` shows it.

- An arrival adds its records to `accepted`; they wait in the journal.
- A routing takes its entry out of the waiting ones and says what became of every record: filtered, duplicate, shelved
  (dead), held back (waiting, as a response), or fanned out into deliveries. Since a record that fans out counts once
  for each delivery, and once for each sink that could not put it into words, `accepted` grows by deliveries +
  partly_shelved - fanned_out; it never shrinks, so records that are said to have fanned out into nothing show up as
  lost. A delivery that is stored already is `duplicate`; one that is not to be sent is `filtered` or `expired` from
  the start. A call that waits for its person is a part like a delivery, and a record again when its wait ends.
- A shelved item with a known key is the same trouble again: `duplicate` when it is a record of a routing, nothing at
  all when it is a page that was read anew, since nobody accepted it.
- A settlement adds to the line of its state when it ends what was owed. INFLIGHT, WAITING, QUEUED and HELD only change
  rows, which are counted as they are.
- Retention removes rows of finished deliveries, and no counter moves: what was delivered stays delivered. `dead` is a
  counter for that reason; `depths` has the number of dead rows that can still be looked at.
- Somebody is erased: what waited or was held of them goes, and is `erased` instead; finished deliveries go without
  moving a counter, like those that retention removes.
- A person decides. What was held or dead and is tried again is owed again; `dead` goes down by what was dead. A shelved
  record that is journaled again waits again, a page that is forgotten is `filtered`, and so is whatever is dropped.
  What was delivered and is sent again is accepted once more: it will have been delivered twice.
  What was held and is found to have been done is `delivered`.
- A release of held-back responses is a routing without a journal entry: their rows stop waiting, and the rest is as
  above.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from npsbridge.core.model import State
from npsbridge.core.records import Arrival, Routing
from npsbridge.store.rows import FINISHED

Entries = Counter[str]
"""By name of the ledger's line: what is added to it."""


def arrived(arrivals: Iterable[Arrival]) -> Entries:
    """What arrivals add."""
    return Counter(accepted=sum(arrival.count for arrival in arrivals))


def routed(
    routing: Routing,
    *,
    stored: Mapping[State, int],
    waiting: int = 0,
    shelved: int = 0,
    erased: int = 0,
    counted_before: int = 0,
) -> Entries:
    """What a routing adds.

    Args:
        routing: what is made true.
        stored: how many of its deliveries were new, by what they are from the start.
        waiting: how many of its calls wait anew for their person.
        shelved: how many of its shelved records were new.
        erased: how many of its deliveries and waiting calls are of people who were erased since, and are not stored.
        counted_before: how many of its records, and of the calls whose wait it ends, were erased since it was decided,
            and count as erased already.
    """
    parts = len(routing.deliveries) + len(routing.awaited)
    known = parts - sum(stored.values()) - waiting - erased
    return Counter(
        accepted=max(parts + routing.partly_shelved - routing.fanned_out, 0) + counted_before,
        dead=shelved,
        filtered=routing.filtered + stored.get(State.FILTERED, 0),
        expired=stored.get(State.EXPIRED, 0),
        duplicate=routing.duplicates + known + (len(routing.shelved) - shelved),
        erased=routing.erased + erased,
    )


def quiet(routings: Sequence[Routing], *, counted_before: int = 0) -> Entries:
    """What routings add that leave nothing behind (`Routing.is_quiet`); the argument is that of `routed`."""
    return Counter(
        accepted=counted_before,
        filtered=sum(routing.filtered for routing in routings),
        duplicate=sum(routing.duplicates for routing in routings),
        erased=sum(routing.erased for routing in routings),
    )


def page_shelved() -> Entries:
    """What an unreadable page adds the first time."""
    return Counter(accepted=1, dead=1)


def settled(state: State, deliveries: int) -> Entries:
    """What deliveries that were owed add by going into a state."""
    return Counter({state.value: deliveries}) if state in FINISHED else Counter()


def requeued(*, dead: int) -> Entries:
    """What held and dead deliveries add by being owed again, of which so many were dead."""
    return Counter(dead=-dead)


def confirmed(deliveries: int) -> Entries:
    """What held deliveries add that turn out to have been made."""
    return Counter(delivered=deliveries)


def unshelved(*, journaled: int, forgotten: int) -> Entries:
    """What shelved items add by waiting in the journal again, or by being forgotten."""
    return Counter(dead=-journaled - forgotten, filtered=forgotten)


def dropped(*, dead: int, others: int) -> Entries:
    """What deliveries add that nobody wants to be sent any more."""
    return Counter(dead=-dead, filtered=dead + others)


def sent_again(deliveries: int) -> Entries:
    """What deliveries add that had been delivered, and are owed again."""
    return Counter(accepted=deliveries)
