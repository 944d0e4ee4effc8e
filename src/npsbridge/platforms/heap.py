"""Heap (heap.io) as a direct sink: one `Submit Survey` event per response, and the `NPS_*` properties of its person.

Facts from Heap's server-side API pages (developers.heap.io: Track, Bulk Track, Add User Properties, Bulk Add User
Properties). What Heap answers says nothing of single entries, the first version of an event under its idempotency key
stays for ever, and of user properties the last write wins. This file must not know the store or other platforms.
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Final, Literal

import orjson
from pydantic import Field, field_validator

from npsbridge.clock import Clock
from npsbridge.core import keys
from npsbridge.core.identity import delivery_person
from npsbridge.core.model import Delivery, Emission, Kind, PlannedDelivery, Response
from npsbridge.core.outcome import Blame, Delivered, Outcome, Paused, Rejected, RetryLater
from npsbridge.core.ports import Finding
from npsbridge.core.revise import comment_of, nps_rating
from npsbridge.core.times import iso_utc
from npsbridge.errors import NotSent, PersonMustAct, TryLater, VendorError
from npsbridge.net.answers import disbelief, expect_ok, is_web_page, passing, retry_after
from npsbridge.net.client import HttpClient, Reply
from npsbridge.net.halves import Halves, packed
from npsbridge.platforms.base import Guide, Platform, Wiring
from npsbridge.settings import PlatformSettings

# --- settings ---------------------------------------------------------------------------------------------------

US, EU = "https://heapanalytics.com", "https://c.eu.heap-api.com"


class HeapSettings(PlatformSettings):
    """Settings of the Heap environment that answers are sent to."""

    key_fields: ClassVar[tuple[str, ...]] = ("app_id",)

    app_id: str | None = Field(
        None,
        description="Id of the Heap environment that survey answers are sent to (Heap: Account > Manage > Projects).",
        examples=["123456789"],
    )
    base_url: str = Field(
        US, description=f"Where Heap's API is, without its /api; {EU} for data that is kept in the EU.", examples=[EU]
    )
    identity: Literal["user_id", "email"] = Field(
        "user_id",
        description="What your pages call Heap's identify with: user_id or email; it cannot be changed after the first "
        "delivery.",
        examples=["email"],
    )

    @field_validator("app_id")
    @classmethod
    def _digits(cls, value: str | None) -> str | None:
        if value is not None and not (value.isascii() and value.isdecimal()):
            raise ValueError("must be the environment's id, digits and nothing else")
        return value

    @field_validator("base_url")
    @classmethod
    def _without_api(cls, value: str) -> str:
        return value.rstrip("/").removesuffix("/api").rstrip("/")


# --- what is said -----------------------------------------------------------------------------------------------

TEXT_LIMIT: Final = 1023
"""Characters of a property: "fewer than 1024 characters" (Track)."""
IDENTITY_LIMIT: Final = 255
"""Characters of an identity (Track)."""


def event(response: Response, identity: str, idempotency_key: str) -> dict[str, Any]:
    """The `Submit Survey` event of a response, as an entry of Heap's bulk request. Heap has no null: none is said."""
    comment = keys.well_formed(comment_of(response) or "")
    properties = {
        "Score": _plain(response.score),
        "Comment": cut(comment) or None,
        "Comment truncated": None if cut(comment) == comment else "true",
        "Permalink": _whole(response.permalink),
        "Created at": iso_utc(response.created_at),
        "Updated at": iso_utc(response.updated_at) if response.updated_at else None,
    }
    return {
        "identity": identity,
        "event": "Submit Survey",
        "timestamp": iso_utc(response.created_at),
        "idempotency_key": idempotency_key,
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


def user(response: Response, identity: str) -> dict[str, Any]:
    """The properties of a person, as an entry of Heap's bulk request.

    An answer without a comment says an empty one: last year's comment beside a new score would be wrong.

    Raises:
        ValueError: the response has no NPS score.
    """
    rating = nps_rating(response)
    if rating is None:
        raise ValueError("only an NPS response with a score has user properties")
    properties = {
        "NPS_rating": rating,
        "NPS_comment": cut(comment_of(response) or ""),
        "NPS_date": iso_utc(response.created_at),
    }
    return {"identity": identity, "properties": properties}


def cut(text: str) -> str:
    """As much of a text as Heap is sure to take.

    Its pages do not say whether a character beyond the basic plane counts once, as in Python, or twice, as in
    JavaScript; counted twice it fits either way.
    """
    return keys.well_formed(text).encode("utf-16-le")[: 2 * TEXT_LIMIT].decode("utf-16-le", "ignore")


def _whole(link: object) -> str | None:
    """A link that was cut leads nowhere."""
    return link if isinstance(link, str) and link and cut(link) == link else None


def _plain(number: float | None) -> float | None:
    """9 rather than 9.0, so that Heap has one value for both."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


# --- destination ------------------------------------------------------------------------------------------------

BATCH: Final = 500
"""Heap takes 1,000 entries in a request (Bulk Track); smaller ones cost little and fail cheaper."""
BATCH_BYTES: Final = 500_000
"""How many bytes Heap takes is not published; so many are 1,000 for every entry."""
PER_SECOND: Final = 175.0
"""Seventy per cent of the 15,000 events a minute that an environment may have (Bulk Track)."""
PER_PERSON, PERSON_SECONDS = 700, 60.0
"""The same share of the 1,000 events a minute that one identity may have (Bulk Track)."""
ALL_REFUSED: Final = 5
"""So many entries refused, and none accepted, is no poison: the app id or the address is wrong."""
REFUSES_CONTENT: Final = (400, 413, 422)
"""Only 400 is documented; the others say the same of a single entry."""
TOO_MANY: Final = "this person has had as many events within a minute as Heap takes"

_JSON: Final = {"Content-Type": "application/json"}
_PATHS: Final = {Kind.SUBMIT: ("/api/track", "events"), Kind.IDENTIFY: ("/api/add_user_properties", "users")}


class HeapDestination:
    """Sends events and user properties in bulk, each kind to a path of its own, in the order given.

    A repeat does no harm: Heap keeps the first event under an idempotency key, and properties are simply set again.
    """

    batch_limit = BATCH
    rate_limit = PER_SECOND

    def __init__(self, wiring: Wiring[HeapSettings]) -> None:
        self.connection = wiring.name
        self._settings = wiring.settings
        self._app_id = wiring.settings.app_id or ""
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._setting: Callable[[str], str] = wiring.setting
        self._budget = PersonBudget(PER_PERSON, PERSON_SECONDS)
        self._roads = {
            kind: Halves(
                partial(self._send, kind),
                pack=partial(packed, limit=BATCH_BYTES),
                all_refused=ALL_REFUSED,
                refuses_all=partial(self._refuses_all, kind),
            )
            for kind in _PATHS
        }

    def plan(self, emission: Emission) -> list[PlannedDelivery]:
        """The event once in the life of a response, the properties whenever traits are said; in that order (pure).

        Raises:
            ValueError: a time in the response has no zone, or traits are asked of one without an NPS score.
        """
        return [self._planned(emission, kind) for kind in emission.kinds if _is_owed(emission, kind)]

    def _identity(self, emission: Emission) -> str | None:
        """Heap tells upper from lower case, so a userId stays as it is; emails are compared in lower case."""
        person = emission.identity
        wanted = person.user_id if self._settings.identity == "user_id" else keys.normalised_email(person.email)
        return keys.well_formed((wanted or "").strip()) or None

    def _hindrance(self, identity: str | None) -> str | None:
        """Without the identity Heap would make a stray user of every answer."""
        wanted = f"{self._settings.identity} ({self._setting('IDENTITY')})"
        if identity is None:
            return f"no {wanted} is known of this person"
        return None if len(identity) <= IDENTITY_LIMIT else f"the {wanted} has more characters than Heap takes"

    def _planned(self, emission: Emission, kind: Kind) -> PlannedDelivery:
        """The delivery of one kind; one that is filtered has no content, for it never goes out."""
        response = emission.response
        identity = self._identity(emission)
        hindrance = self._hindrance(identity)
        # An event has one key for life, so that the store and Heap know it again whatever revision it comes with.
        revision = 1 if kind is Kind.SUBMIT else emission.revision
        message_id = keys.message_id(self._app_id, response.platform, response.connection, response.id, kind, revision)
        entry: dict[str, Any] = {}
        if identity is not None and hindrance is None:
            entry = event(response, identity, message_id) if kind is Kind.SUBMIT else user(response, identity)
        return PlannedDelivery(
            connection=self.connection,
            person=f"heap:{identity}" if identity else delivery_person(emission.identity),
            kind=kind.value,
            message_id=message_id,
            body=orjson.dumps(entry),
            subject=f"{response.connection}/{response.id}",
            filtered_because=hindrance,
        )

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Send each kind; trouble of one path holds the other up only when nobody would get through there either."""
        outcomes = self._too_many(batch)
        trouble: Outcome | None = None
        for kind, road in self._roads.items():
            part = [one for one in batch if one.kind == kind and one.id not in outcomes]
            sent = await road.deliver(part) if trouble is None else [trouble] * len(part)
            outcomes |= {one.id: outcome for one, outcome in zip(part, sent, strict=True)}
            trouble = trouble or next(filter(_concerns_all, sent), None)
        stranger = Rejected(reason="is of no kind that Heap takes")
        return [outcomes.get(one.id, stranger) for one in batch]

    def _too_many(self, batch: Sequence[Delivery]) -> dict[int, Outcome]:
        """What has to wait because its person has had as many events as one may; all of that person waits with it."""
        outcomes: dict[int, Outcome] = {}
        held: dict[str, Outcome] = {}
        now = self._clock.monotonic()
        for one in batch:
            if one.person not in held and one.kind == Kind.SUBMIT and (wait := self._budget.book(one.person, now)) > 0:
                held[one.person] = RetryLater(reason=TOO_MANY, after=wait, blame=Blame.DELIVERY)
            if one.person in held:
                outcomes[one.id] = held[one.person]
        return outcomes

    async def _send(self, kind: Kind, part: Sequence[Delivery]) -> Outcome:
        path, name = _PATHS[kind]
        entries = b",".join(one.body for one in (part if kind is Kind.SUBMIT else newest(part)))
        body = b'{"app_id":' + orjson.dumps(self._app_id) + b',"' + name.encode() + b'":[' + entries + b"]}"
        try:
            url = self._settings.base_url + path
            reply = await self._http.request("POST", url, operation=name, body=body, headers=_JSON)
        except TryLater as error:
            blame = Blame.CONNECTION if isinstance(error, NotSent) else Blame.UNCLEAR
            return RetryLater(reason=str(error), blame=blame)
        return self._judge(reply)

    def _judge(self, reply: Reply) -> Outcome:
        status = reply.status
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own border
            trouble = disbelief(reply)
            return RetryLater(reason=trouble, blame=Blame.UNCLEAR) if trouble else Delivered()
        if passing(status):
            after = retry_after(reply, now=self._clock.now())
            blame = Blame.CONNECTION if status == 429 else Blame.UNCLEAR  # noqa: PLR2004 - HTTP's own number
            return RetryLater(reason=f"HTTP {status}", after=after, blame=blame)
        if status in REFUSES_CONTENT:
            return Rejected(reason=f"HTTP {status}")
        culprit = self._setting("APP_ID" if status in (401, 403) else "BASE_URL")
        return Paused(reason=f"HTTP {status}; check {culprit}")

    def _refuses_all(self, kind: Kind, said: str) -> Paused:
        suspects = f"{self._setting('APP_ID')} and {self._setting('BASE_URL')}"
        return Paused(reason=f"every entry of {_PATHS[kind][1]} is refused ({said}); check {suspects}")


def _is_owed(emission: Emission, kind: Kind) -> bool:
    """Heap never changes an event, so only the first version of an answer is one.

    A survey that was closed untouched has been a revision already when it is answered after all.
    """
    is_first = emission.revision == 1 or emission.response.dismissed
    return kind is Kind.IDENTIFY or (kind is Kind.SUBMIT and is_first)


def _concerns_all(outcome: Outcome) -> bool:
    return isinstance(outcome, Paused) or (isinstance(outcome, RetryLater) and outcome.blame is Blame.CONNECTION)


def newest(part: Sequence[Delivery]) -> list[Delivery]:
    """Only the last properties of each person: whether Heap keeps the order within a request is not documented."""
    latest = {one.person: one.id for one in part}
    return [one for one in part if latest[one.person] == one.id]


class PersonBudget:
    """How many events each person has been sent lately: no more than `limit` in any `seconds`."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        self._sent: deque[tuple[float, str]] = deque()
        self._counts: Counter[str] = Counter()

    def book(self, person: str, now: float) -> float:
        """Book one event and return 0, or book none and return the seconds until there is room."""
        self._forget(now)
        if self._counts[person] < self._limit:
            self._sent.append((now, person))
            self._counts[person] += 1
            return 0.0
        oldest = next(at for at, who in self._sent if who == person)
        return oldest + self._seconds - now

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0][0] <= now - self._seconds:
            _, person = self._sent.popleft()
            self._counts[person] -= 1
            if not self._counts[person]:
                del self._counts[person]


# --- check ------------------------------------------------------------------------------------------------------


async def check(wiring: Wiring[HeapSettings]) -> list[Finding]:
    """Ask whether Heap's API answers at all, by a request without an app id: it is refused, and writes nothing.

    Heap has no API to read by (its page "Server-Side APIs"), so all else is for the operator to look at.
    """
    setting = wiring.setting("APP_ID")
    texts = (
        f"whether {setting} is right cannot be proved, Heap may say 200 to any; look for the events in its Live view",
        "switch off Segment's own Heap destination for these events, or every answer counts twice in Heap",
    )
    unproved = [Finding(subject=wiring.name, is_good=None, text=text) for text in texts]
    try:
        url = f"{wiring.settings.base_url}/api/track"
        reply = await wiring.http.request("POST", url, operation="check", body=b"{}", headers=_JSON)
    except VendorError as error:
        return [Finding(subject=wiring.name, is_good=False, text=str(error)), *unproved]
    return [_verdict(wiring, reply), *unproved]


def _verdict(wiring: Wiring[HeapSettings], reply: Reply) -> Finding:
    """The documented answer to what is wrong is 400; what a request without an app id gets is not said."""
    setting = wiring.setting("BASE_URL")
    if passing(reply.status):
        return Finding(subject=wiring.name, is_good=None, text=f"what is at {setting} answers HTTP {reply.status} now")
    if is_web_page(reply) or not (reply.status == 400 or 200 <= reply.status < 300):  # noqa: PLR2004 - HTTP's own
        text = f"what answers (HTTP {reply.status}) is not Heap's API; check {setting}"
        return Finding(subject=wiring.name, is_good=False, text=text)
    return Finding(subject=wiring.name, is_good=True, text=f"Heap's API answers at {setting}")


# --- setting up -------------------------------------------------------------------------------------------------

GUIDE = Guide(
    label="Heap",
    asks={
        "app_id": "Account > Manage > Projects: the id of the environment",
        "identity": "what your pages call heap.identify with: user_id or email; it cannot be changed later",
        "base_url": f"for projects in the EU {EU}",
    },
    optional=frozenset({"identity", "base_url"}),
    beware=(
        "Switch off Heap as destination of the Segment source that the answers go to, or every answer is there twice.",
        "Switch off Heap's own Delighted source, for the same reason.",
    ),
)


async def try_out(wiring: Wiring[HeapSettings]) -> str:
    """Send one event of a person who is nobody."""
    event = {"app_id": wiring.settings.app_id, "identity": "npsbridge-connect", "event": "npsbridge Connected"}
    url = f"{wiring.settings.base_url}/api/track"
    reply = await wiring.http.request("POST", url, operation="try_out", body=orjson.dumps(event), headers=_JSON)
    expect_ok(reply, location="/api/track", setting=wiring.setting("APP_ID"), now=wiring.clock.now)
    if is_web_page(reply):
        raise PersonMustAct(f"what answers is not Heap's API; check {wiring.setting('BASE_URL')}")
    return "the event `npsbridge Connected` of `npsbridge-connect` was taken; it must show in Heap's Live view"


platform = Platform(
    name="heap",
    settings=HeapSettings,
    destination=HeapDestination,
    frozen=lambda settings: {"identity": settings.identity},
    check=check,
    guide=GUIDE,
    try_out=try_out,
)
