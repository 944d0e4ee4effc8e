"""Calls that can be done with at a glance: nobody wants them, and they tell nothing new of anybody (pure).

Most of what SDKs send is that: events, pages and screens that no platform asks for, by people whose ids we have. To
read such a call in full, look its person up and remember its messageId would cost twenty times what it is worth, so
only the few members that tell it apart from a call that matters are read; whatever is unusual is read in full.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import Any, Final, NamedTuple

import msgspec

from npsbridge.core.calls import CallType
from npsbridge.core.envelope import EVENT_LIMIT, decode_envelope
from npsbridge.core.people import Person

PAIRS_REMEMBERED: Final = 10_000
MESSAGES_REMEMBERED: Final = 20_000
"""A repeat among so many calls counts as a duplicate; whether an older one counts as that or as filtered is all that
depends on it."""

LONGEST_ID: Final = 200
"""Characters of an id that is remembered here; whoever makes them longer does not fill our memory."""


class Pair(NamedTuple):
    """The ids that a call gives for its person."""

    user_id: str | None
    anonymous_id: str | None


class Met(NamedTuple):
    """What a call that was read showed of its person."""

    person: str
    """The person's key."""
    pair: Pair | None
    """The ids of the call, if another one with them and nothing else would tell nothing new."""
    message_id: str
    is_news: bool
    """The ids of the person are others than before."""


class Glance(Enum):
    """What became of a call at a glance."""

    FILTERED = auto()
    DUPLICATE = auto()


class _Context(msgspec.Struct, gc=False):
    traits: Any = None


class _Properties(msgspec.Struct, gc=False):
    email: Any = None


class _Call(msgspec.Struct, kw_only=True, rename="camel", gc=False):
    """What tells whether a call has to be read; a value of another type is one that has to."""

    type: str | None = None
    event: str | None = None
    message_id: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    context: _Context | None = None
    properties: _Properties | None = None
    # Spellings of hand-written senders, see `npsbridge.core.callreading`.
    other_user_id: Any = msgspec.field(default=None, name="user_id")
    other_anonymous_id: Any = msgspec.field(default=None, name="anonymous_id")

    @property
    def is_plain(self) -> bool:
        """It names its person by nothing but the usual ids."""
        context, properties = self.context, self.properties
        return (
            (context is None or not context.traits)
            and (properties is None or properties.email is None)
            and self.other_user_id is None
            and self.other_anonymous_id is None
        )


class _Calls(msgspec.Struct, rename="camel"):
    batch: list[_Call]
    type: str | None = None
    context: _Context | None = None


GLANCED_AT: Final = frozenset({CallType.TRACK, CallType.PAGE, CallType.SCREEN})
_SEEN: Final = (CallType.PAGE.value, CallType.SCREEN.value)
"""What no platform does anything with, whatever it says."""
_CALLS: Final = msgspec.json.Decoder(_Calls)


class Familiar:
    """Whose calls tell nothing new, and which messageIds came lately; what a run adds counts once it is committed."""

    def __init__(self, wanted: Iterable[str]) -> None:
        """`wanted` are the names of all events that some platform does something with."""
        self._wanted = frozenset(wanted)
        self._pairs: dict[Pair, str] = {}
        """By the ids of a call: the key of its person."""
        self._people: OrderedDict[str, set[Pair]] = OrderedDict()
        """The same by person, the longest known first."""
        self._fresh: set[str] = set()
        self._recent: set[str] = set()
        self._older: set[str] = set()

    def forget(self) -> None:
        """Know nobody any more: somebody was erased, or another process may have learned something."""
        self._pairs.clear()
        self._people.clear()

    def glance(self, body: bytes) -> list[Glance | None]:
        """What becomes of each call of a journal entry; None for those that have to be read.

        Empty when none of them can be told from so little.
        """
        try:
            entry = _CALLS.decode(body)
            if (entry.context and entry.context.traits) or (len(body) > EVENT_LIMIT and _has_oversize(body)):
                return []
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return []
        return [self._judged(call, call.type or entry.type) for call in entry.batch]

    def _judged(self, call: _Call, kind: str | None) -> Glance | None:
        # Looked at once for every call that arrives: what sorts out most comes first, and nothing is called in vain.
        if (call.user_id or None, call.anonymous_id or None) not in self._pairs:
            return None
        if kind == CallType.TRACK:
            if not call.event or call.event in self._wanted or call.event.isspace():
                return None
        elif kind not in _SEEN:
            return None
        message_id = call.message_id
        if not message_id or len(message_id) > LONGEST_ID or not call.is_plain:
            return None
        if message_id in self._fresh or message_id in self._recent or message_id in self._older:
            return Glance.DUPLICATE
        self._fresh.add(message_id)
        return Glance.FILTERED

    def begin(self) -> None:
        """A run begins, perhaps again; what the one before added without being committed does not count."""
        self._fresh = set()

    def commit(self, met: Sequence[Met], redirects: Iterable[str]) -> None:
        """The run is on disk.

        Args:
            met: what those of its calls showed that were read, in order.
            redirects: keys under which nobody is known any more.
        """
        for one in met:
            if one.is_news:
                self._leave(one.person)
            self._meet(one)
        for key in redirects:
            self._leave(key)
        self._recent |= self._fresh
        self._fresh = set()
        if len(self._recent) >= MESSAGES_REMEMBERED // 2:
            self._older, self._recent = self._recent, set()

    def _meet(self, met: Met) -> None:
        self._fresh.add(met.message_id)
        if met.pair is None or any(len(one or "") > LONGEST_ID for one in met.pair):
            return
        while len(self._pairs) >= PAIRS_REMEMBERED:
            self._leave(next(iter(self._people)))
        self._pairs[met.pair] = met.person
        self._people.setdefault(met.person, set()).add(met.pair)

    def _leave(self, person: str) -> None:
        for pair in self._people.pop(person, ()):
            self._pairs.pop(pair, None)


def _has_oversize(body: bytes) -> bool:
    return max(map(len, map(bytes, decode_envelope(body).batch)), default=0) > EVENT_LIMIT


def ids_differ(person: Person, before: Person | None) -> bool:
    """Whether somebody is known by other ids than before, or was not known at all."""
    return before is None or (person.key, person.user_id, person.former_user_ids, person.anonymous_ids) != (
        before.key,
        before.user_id,
        before.former_user_ids,
        before.anonymous_ids,
    )
