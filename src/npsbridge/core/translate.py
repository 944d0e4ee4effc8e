"""From a revision of a response to the Segment calls that tell of it, and to bytes that Segment takes.

Pure: which calls are said, what they say, and how an oversize one is made to fit. Knows no write key, no queue and no
HTTP; the caller adds the messageId.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import compress
from typing import Any, Final, Literal

import orjson
from msgspec import UNSET

from npsbridge.core.identity import carries_traits
from npsbridge.core.keys import well_formed
from npsbridge.core.model import Answer, Campaign, Emission, Kind, Record, Response
from npsbridge.core.records import RememberedResponse
from npsbridge.core.revise import comment_of, nps_rating, same_content
from npsbridge.core.times import iso_utc

Call = dict[str, Any]

LIBRARY_NAME: Final = "npsbridge"
"""`context.library.name` of every call of ours; by it we know our own calls when they come back."""

EVENT_NAMES: Final[Mapping[Kind, str]] = {
    Kind.SUBMIT: "Submit Survey",
    Kind.ANSWERED: "Answered NPS Survey",
    Kind.COMPLETED: "Completed NPS Survey",
    Kind.CLOSED: "Closed NPS Survey",
    Kind.VIEWED: "Viewed NPS Survey",
}

_ALL_NAMES: Final = frozenset(EVENT_NAMES.values())

ONCE: Final = (Kind.ANSWERED, Kind.COMPLETED, Kind.CLOSED, Kind.VIEWED)
"""What is said once in the life of a response, in this order."""

DELIGHTED_SOURCE: Final = "delighted_source"
"""The vocabulary of EVENTS__ALSO that speaks as Delighted's own Segment source did."""

QUESTION_EVENT: Final = "Survey Question Answered"


class EventRules(Record, frozen=True, kw_only=True):
    """What the operator wants to be said (EVENTS__*)."""

    names: frozenset[str] = _ALL_NAMES
    """Event names that are emitted; identify is not among them and always is."""
    on_update: Literal["emit", "traits", "ignore"] = "emit"
    also: frozenset[str] = frozenset()


# --- what is said -----------------------------------------------------------------------------------------------


def milestones(response: Response, previous: RememberedResponse | None = None) -> tuple[Kind, ...]:
    """The once-only kinds that a response has reached, now or as it was remembered before.

    To be remembered with an emitted revision, whether or not their events are switched on: switching one on later
    must not tell history again.
    """
    reached, before = _reached(response), _already_said(previous)
    return tuple(kind for kind in ONCE if kind in before or kind in reached) if before else reached


def _reached(response: Response) -> tuple[Kind, ...]:
    """The once-only kinds that a response has reached as it is; all of them are of NPS surveys."""
    if response.survey_type != "nps":
        return ()
    is_answered = nps_rating(response) is not None
    is_completed = is_answered and (response.completed or comment_of(response) is not None)
    reached = (is_answered, is_completed, response.dismissed and not is_completed, response.viewed)
    return tuple(compress(ONCE, reached))


def _is_submitted(response: Response) -> bool:
    """A survey opened, or closed untouched, is no submission; anything else that arrives as a response is one."""
    if response.viewed:
        return False
    has_answers = response.answers is not UNSET and any(map(_is_given, response.answers))
    return not response.dismissed or response.score is not None or comment_of(response) is not None or has_answers


def _already_said(previous: RememberedResponse | None) -> tuple[Kind, ...]:
    """Of a response that is still held back (revision 0) nothing has been said."""
    return previous.milestones if previous is not None and previous.revision > 0 else ()


def kinds(
    response: Response, previous: RememberedResponse | None, *, is_newest: bool, rules: EventRules
) -> tuple[Kind, ...]:
    """What is to be said of a response, in this order; empty when nobody wants to hear of it.

    Args:
        response: the content to tell, merged with what was known before.
        previous: what was remembered before; None for a new one.
        is_newest: no newer answer of that person is known.
        rules: the operator's wishes.
    """
    identify = (Kind.IDENTIFY,) if is_newest and carries_traits(response) else ()
    submit = (Kind.SUBMIT,) if _is_submitted(response) else ()
    question = (Kind.QUESTION,) if DELIGHTED_SOURCE in rules.also and submit else ()
    before = _already_said(previous)
    reached = tuple(kind for kind in _reached(response) if kind not in before)
    everything = (*identify, *submit, *reached, *question)
    if previous is None or previous.revision == 0:
        said = everything
    elif same_content(previous.response, response):
        # Only a flag of the vendor has come. That is no edit, so EVENTS__ON_UPDATE has no say in it.
        said = reached
    else:
        said = {"emit": everything, "traits": identify, "ignore": ()}[rules.on_update]
    if rules.names >= _ALL_NAMES:
        return said
    unnamed = (Kind.IDENTIFY, Kind.QUESTION)
    return tuple(kind for kind in said if kind in unnamed or EVENT_NAMES[kind] in rules.names)


# --- how it is said ---------------------------------------------------------------------------------------------


def call(
    emission: Emission,
    kind: Kind,
    *,
    integrations: Mapping[str, Any] | None,
    library_version: str,
) -> Call:
    """One Segment message, without messageId, writeKey and sentAt.

    For `Kind.VIEWED` the emission's response stands for the survey request: its id is the request's, its `created_at`
    is when the survey was opened.

    Raises:
        ValueError: the emission has no id to go out under, a time in it has no zone, or an identify is asked of a
            response that has no NPS score.
    """
    return Wording(emission, integrations=integrations, library_version=library_version).call(kind)


class Wording:
    """The calls that tell of one emission; what several of them say is put into words, and into bytes, once."""

    def __init__(self, emission: Emission, *, integrations: Mapping[str, Any] | None, library_version: str) -> None:
        """See `call`."""
        self._emission = emission
        self._integrations = integrations
        self._library_version = library_version
        self._alike: bytes | None = None
        """The middle of all calls that tell of the response alike."""

    def call(self, kind: Kind) -> Call:
        """See the function of this name."""
        return {**_BEGINNINGS[kind], **_of_whom(self._emission), **self._says(kind)}

    def body(self, kind: Kind, message_id: str) -> bytes:
        """The final message, with a messageId of `npsbridge.core.keys`, as `fit` writes it.

        Raises:
            ValueError: see `call` and `fit`.
        """
        try:
            body = b"".join((_BEGINNING_BYTES[kind], self._middle(kind), message_id.encode(), b'"}'))
        except orjson.JSONEncodeError:
            return fit({**self.call(kind), "messageId": message_id})
        return body if len(body) <= EVENT_LIMIT else fit({**self.call(kind), "messageId": message_id})

    def _middle(self, kind: Kind) -> bytes:
        """What stands between the name of the event and the messageId."""
        if self._alike is not None and kind in _TOLD_ALIKE:
            return self._alike
        said = _of_whom(self._emission)
        said.update(self._says(kind))
        middle = b"".join((b",", orjson.dumps(said)[1:-1], b',"messageId":"'))
        if kind in _TOLD_ALIKE:
            self._alike = middle
        return middle

    def _says(self, kind: Kind) -> Call:
        emission = self._emission
        is_identify = kind is Kind.IDENTIFY
        said: Call = (
            {"traits": _traits(emission.response)} if is_identify else {"properties": _properties(emission, kind)}
        )
        said["context"] = _context(emission, kind, self._library_version)
        if self._integrations is not None:
            said["integrations"] = dict(self._integrations)
        return said


def _beginning(kind: Kind) -> Call:
    return {"type": "identify"} if kind is Kind.IDENTIFY else {"type": "track", "event": _event_name(kind)}


def _of_whom(emission: Emission) -> Call:
    identity, timestamp = emission.identity, iso_utc(_said_at(emission))
    if identity.user_id:
        return {"userId": identity.user_id, "timestamp": timestamp}
    if identity.anonymous_id:
        return {"anonymousId": identity.anonymous_id, "timestamp": timestamp}
    raise ValueError("a call needs a userId or an anonymousId; Segment drops it in silence without")


_TOLD_ALIKE: Final = frozenset({Kind.SUBMIT, Kind.ANSWERED, Kind.COMPLETED, Kind.CLOSED})
"""Kinds whose calls have the same properties."""


def _event_name(kind: Kind) -> str:
    return QUESTION_EVENT if kind is Kind.QUESTION else EVENT_NAMES[kind]


_BEGINNINGS: Final[Mapping[Kind, Call]] = {kind: _beginning(kind) for kind in Kind}
_BEGINNING_BYTES: Final = {kind: orjson.dumps(call)[:-1] for kind, call in _BEGINNINGS.items()}


def _said_at(emission: Emission) -> datetime:
    """When it was answered; of a later revision when it was edited, as far as the vendor says."""
    response = emission.response
    if emission.revision == 1 or response.updated_at is None:
        return response.created_at
    return max(response.created_at, response.updated_at)


def _context(emission: Emission, kind: Kind, library_version: str) -> Call:
    context: Call = {"library": {"name": LIBRARY_NAME, "version": library_version}}
    if kind is Kind.IDENTIFY:
        # A survey answer that a poll brought is no visit: it must not touch "last seen".
        context["active"] = False
    traits: Call = {"email": emission.identity.email} if emission.identity.email else {}
    if kind is Kind.QUESTION and emission.response.person.id:
        traits[f"{emission.response.platform}_person_id"] = emission.response.person.id
    if traits:
        context["traits"] = traits
    return context


def _traits(response: Response) -> Call:
    """A null comment is said on purpose: last year's comment beside a new score would be wrong."""
    rating = nps_rating(response)
    if rating is None:
        raise ValueError("only an NPS response with a score has traits")
    return {
        "NPS_rating": rating,
        "NPS_comment": comment_of(response),
        "NPS_date": iso_utc(response.created_at),
    }


def _properties(emission: Emission, kind: Kind) -> Call:
    if kind is Kind.QUESTION:
        return _question_properties(emission.response)
    response = emission.response
    properties: Call = {
        "score": _plain(response.score),
        "comment": comment_of(response),
        "permalink": None if response.permalink is UNSET else response.permalink,
        "created_at": iso_utc(response.created_at),
        "updated_at": iso_utc(response.updated_at) if response.updated_at else None,
        "survey_type": response.survey_type,
    }
    rating = nps_rating(response)
    if rating is not None:
        properties["category"] = category(rating)
    properties["platform"] = response.platform
    properties["connection"] = response.connection
    properties["response_id"] = response.id
    properties["revision"] = emission.revision
    if kind is Kind.VIEWED:
        properties |= {"response_id": None, "request_id": response.id}
    properties.update(_where_known(response))
    return properties


def category(rating: float) -> str:
    """The camp an NPS score belongs to: 0-6 detractor, 7-8 passive, 9-10 promoter."""
    if rating >= 9:  # noqa: PLR2004 -- NPS by definition
        return "promoter"
    return "passive" if rating >= 7 else "detractor"  # noqa: PLR2004 -- the same


def _where_known(response: Response) -> Call:
    known: Call = {}
    campaign = response.campaign
    if campaign is not UNSET and (campaign.id is not None or campaign.name is not None):
        known["campaign"] = {"id": campaign.id, "name": campaign.name}
    if response.channel is not UNSET:
        known["channel"] = response.channel
    if response.tags is not UNSET:
        known["tags"] = response.tags
    if response.answers is not UNSET:
        known["answers"] = [_answer(answer) for answer in response.answers if _is_given(answer)]
    if response.person_properties is not UNSET:
        known["person_properties"] = response.person_properties
    return known


def _is_given(answer: Answer) -> bool:
    """Whether a question that was asked was answered as well."""
    return answer.answer is not None


def _answer(answer: Answer) -> Call:
    value = answer.answer
    return {"question": answer.question, "answer": _plain(value) if isinstance(value, float) else value}


def _plain(number: float | None) -> float | None:
    """9 rather than 9.0, for readers that tell them apart."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _question_properties(response: Response) -> Call:
    """The properties of `Survey Question Answered` that we can know.

    Names and spellings are of Segment's page "Delighted Source". It publishes no property for the answer itself, so
    there is none here; nor for questions and notes, which a response does not carry.
    """
    campaign = Campaign() if response.campaign is UNSET else response.campaign
    properties: Call = {
        "survey_id": campaign.id,
        "survey_name": campaign.name,
        "survey_type": response.survey_type.upper(),
        "survey_medium": None if response.channel is UNSET else response.channel.capitalize(),
        "survey_tool": response.platform.capitalize(),
        "survey_permalink": None if response.permalink is UNSET else response.permalink,
        "survey_tags": [] if response.tags is UNSET else response.tags,
        "survey_properties": {} if response.person_properties is UNSET else response.person_properties,
    }
    return {name: value for name, value in properties.items() if value is not None}


# --- making it fit ----------------------------------------------------------------------------------------------

EVENT_LIMIT: Final = 32_000
"""Bytes of one event; Segment refuses above 32 KB (its page "HTTP API"), and its own SDKs keep this distance."""

_DROPPED_IN_TURN: Final = ("person_properties", "survey_properties", "answers", "tags", "survey_tags")


def fit(message: Call, limit: int = EVENT_LIMIT) -> bytes:
    """The final message (with its messageId) as JSON of at most `limit` bytes of UTF-8.

    Too long a comment is cut between two characters, with `comment_truncated: true` in a track's properties. Where
    that is not enough, person_properties, answers and tags go, one after the other, and the comment gets the room.
    Lone surrogates become U+FFFD, integers beyond 64 bits become text.

    Raises:
        ValueError: too large even so, with the names and sizes of what is left, not its content; or no JSON at all,
            such as a nesting deeper than any reader takes.
    """
    try:
        body = orjson.dumps(message)
    except orjson.JSONEncodeError:
        message = _writable(message)
        body = _serialised(message)
    if len(body) <= limit:
        return _no_larger_than_needed(body)
    for reduced in _reductions(message):
        body = _with_comment_cut(reduced, limit)
        if len(body) <= limit:
            return body
    raise ValueError(f"{len(body)} bytes remain where {limit} are allowed; {_largest(orjson.loads(body))}")


def _no_larger_than_needed(body: bytes) -> bytes:
    """A copy: orjson hands out eight kilobytes for each body, however short."""
    return bytes(memoryview(body))


def _serialised(message: Call) -> bytes:
    try:
        return orjson.dumps(message)
    except orjson.JSONEncodeError as err:
        raise ValueError(f"the call cannot be written as JSON: {err}") from err


def _reductions(message: Call) -> Iterator[Call]:
    """The message as it is, then with one droppable property less at a time."""
    yield message
    for name in _DROPPED_IN_TURN:
        if name in message.get("properties", {}):
            kept = {key: value for key, value in message["properties"].items() if key != name}
            message = {**message, "properties": kept}
            yield message


def _with_comment_cut(message: Call, limit: int) -> bytes:
    """The message with as much of its comment as fits; too long when even an empty comment does not fit."""
    whole = orjson.dumps(message)
    said = message.get("traits", {}).get("NPS_comment") or message.get("properties", {}).get("comment")
    if len(whole) <= limit or not said:
        return whole
    room = limit - len(_with_comment(message, ""))
    return _with_comment(message, _longest(said, lambda text: len(orjson.dumps(text)) - 2 <= room))


def _with_comment(message: Call, text: str) -> bytes:
    if message["type"] == "identify":
        return orjson.dumps({**message, "traits": {**message["traits"], "NPS_comment": text}})
    marked = {**message["properties"], "comment": text, "comment_truncated": True}
    return orjson.dumps({**message, "properties": marked})


def _longest(text: str, fits: Callable[[str], bool]) -> str:
    """The longest beginning that fits, by bisection; empty when none does."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle - 1)
    return text[:low]


def _writable(value: Any) -> Any:
    """The value without what orjson, or JSON in UTF-8, cannot carry."""
    match value:
        case str():
            return well_formed(value)
        case dict():
            return {_writable(key): _writable(item) for key, item in value.items()}
        case list() | tuple():
            return [_writable(item) for item in value]
        case int() if not -(2**63) <= value < 2**64:
            return str(value)
        case _:
            return value


def _largest(message: Call) -> str:
    """The largest remaining parts with their sizes, without their content."""
    parts = {name: value for name, value in message.items() if name not in ("traits", "properties")}
    for group in ("traits", "properties"):
        parts |= {f"{group}.{name}": value for name, value in message.get(group, {}).items()}
    sizes = sorted(((len(orjson.dumps(value)), name) for name, value in parts.items()), reverse=True)
    return "largest: " + ", ".join(f"{name} ({size} bytes)" for size, name in sizes[:3])
