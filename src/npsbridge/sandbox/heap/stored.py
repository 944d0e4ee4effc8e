"""What an environment of Heap has stored: events, the properties of people and accounts, who is who.

It knows no HTTP and no limits; times are handed in. Rules: developers.heap.io, pages Track (idempotency), Add User
Properties, Identify, User Deletion.
"""

from collections import Counter, deque
from collections.abc import Iterable

import msgspec

from npsbridge.sandbox.heap.entries import AccountEntry, HeapEvent, Properties, UserEntry, person_of
from npsbridge.sandbox.heap.switches import HeapSwitches

IDS_PER_IDENTITY = 10
MONTH = 30 * 86_400.0


class Stored:
    """The ground truth of the look-alike.

    Attributes:
        events: Every event that was stored, in the order in which they took effect.
        users: Properties by person: the identity, or `user_id:<number>` of somebody without one.
        accounts: Properties by account id.
        identities: The identity of each `user_id` that was identified.
        repeated: How many events came again under a known idempotency key, by key.
    """

    def __init__(self) -> None:
        self.events: list[HeapEvent] = []
        self.users: dict[str, Properties] = {}
        self.accounts: dict[str, Properties] = {}
        self.identities: dict[str, str] = {}
        self.repeated: Counter[str] = Counter()
        self._first_seen: dict[tuple[str | None, str], float] = {}
        self._identified: deque[tuple[float, str]] = deque()

    def track(self, event: HeapEvent, switches: HeapSwitches) -> None:
        """Store an event, if its key is new; the first version stays. The person exists from then on."""
        if event.idempotency_key is not None and self._is_known(event, event.idempotency_key, switches):
            self.repeated[event.idempotency_key] += 1
            return
        owner = self.identities.get(event.user_id or "")
        self.events.append(msgspec.structs.replace(event, identity=event.identity or owner))
        self.users.setdefault(self.events[-1].person, {})

    def _is_known(self, event: HeapEvent, key: str, switches: HeapSwitches) -> bool:
        scope = event.person if switches.key_scope == "identity" else None
        seen = self._first_seen.get((scope, key))
        if seen is not None and (switches.key_memory is None or event.received_at - seen < switches.key_memory):
            return True
        self._first_seen[scope, key] = event.received_at
        return False

    def set_user(self, entry: UserEntry) -> None:
        """Set properties of a person; of each only the newest value is kept."""
        owner = self.identities.get(entry.person.removeprefix("user_id:")) if ":" in entry.person else None
        self.users.setdefault(owner or entry.person, {}).update(entry.properties)

    def set_account(self, entry: AccountEntry) -> None:
        """Set properties of an account."""
        self.accounts.setdefault(entry.account_id, {}).update(entry.properties)

    def identify(self, user_id: str, identity: str, now: float) -> None:
        """Make a person known by an identity; a second one, or too many ids for one, is ignored in silence."""
        while self._identified and self._identified[0][0] <= now - MONTH:
            self._identified.popleft()
        this_month = sum(1 for _, one in self._identified if one == identity)
        if user_id in self.identities or this_month >= IDS_PER_IDENTITY:
            return
        self.identities[user_id] = identity
        self._identified.append((now, identity))
        self._move(user_id, identity)

    def _move(self, user_id: str, identity: str) -> None:
        owner = {"identity": identity}
        self.events = [
            msgspec.structs.replace(event, **owner) if event.user_id == user_id else event for event in self.events
        ]
        anonymous = self.users.pop(person_of(None, user_id), {})
        self.users[identity] = {**anonymous, **self.users.get(identity, {})}

    def delete(self, people: Iterable[str]) -> None:
        """Forget people and all their events."""
        gone = set(people)
        self.events = [event for event in self.events if event.person not in gone]
        self.users = {person: properties for person, properties in self.users.items() if person not in gone}
