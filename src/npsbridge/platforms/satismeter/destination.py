"""SatisMeter as a destination: users with all their traits, and the events by which its surveys are targeted.

Facts from SatisMeter's help centre (support.satismeter.com: "Create or update user", "Track event API", "Custom user
traits"), from Segment's page of its SatisMeter destination, and from RudderStack's. SatisMeter decides by itself whom
it surveys, and shows nobody which events it was told of. Must not know the store.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from npsbridge.clock import Clock
from npsbridge.core import reading
from npsbridge.core.calls import Call, CallType
from npsbridge.core.forward import IDENTIFY, SURVEY, came_back, forward_id
from npsbridge.core.model import Delivery, PlannedDelivery
from npsbridge.core.outcome import Blame, Delivered, Outcome, Paused, Rejected, Retired, RetryLater, Unknown
from npsbridge.core.people import Person
from npsbridge.core.plain import clean, flattened, listed
from npsbridge.core.ports import Awaited, Inquiry
from npsbridge.core.times import iso_utc
from npsbridge.errors import BadRecord, NotSent, TryLater
from npsbridge.net.answers import disbelief, passing, retry_after
from npsbridge.net.client import HttpClient, Reply
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.satismeter.settings import SatisMeterSettings

# --- what is said -----------------------------------------------------------------------------------------------

NO_USER_ID: Final = "no userId is known of this person, and SatisMeter knows people by it"
UNIDENTIFIED: Final = "no identify call has been seen of this person, and SatisMeter targets by what it says"

_EMAIL, _CREATED_AT = "email", "createdAt"
_SIXTY_FOUR_BITS: Final = 2**63


def traits_of(person: Person) -> dict[str, Any]:
    """All that is known of a person, as SatisMeter takes it: texts, numbers, true and false ("Custom user traits").

    The whole known set each time, for nobody says whether traits that are not named stay. Times are ISO 8601 texts, so
    a `createdAt` in seconds or milliseconds becomes one: without it everybody counts as long signed up (Segment's page
    of this destination). An email that is none is left out.
    """
    traits = flat({name: value for name, value in person.traits.items() if name != _EMAIL})
    if _CREATED_AT in traits:
        traits[_CREATED_AT] = _as_iso(traits[_CREATED_AT])
    return traits | ({_EMAIL: person.email} if person.email else {}) | came_back(person)


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values without objects and lists, which are no types of SatisMeter's traits."""
    return dict(flattened(values, _plain))


def _plain(value: object) -> str | float | None:
    if isinstance(value, list):
        return listed(value, _plain, _text)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int) and abs(value) >= _SIXTY_FOUR_BITS:
        return str(value)
    return value if isinstance(value, int | float) else None


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _as_iso(value: str | float) -> str | float:
    """A number as the time it stands for; a text, and a number that is no time, as it came."""
    if isinstance(value, str):
        return value
    try:
        return iso_utc(reading.instant(value, "/createdAt"))
    except BadRecord:
        return value


# --- destination ------------------------------------------------------------------------------------------------

PATH: Final = "/users"
_REFUSES_CONTENT: Final = frozenset({400, 406, 413, 422})
"""406 and 422 are among what the Ruby client `satismeter` expects of the old API."""
_ADDRESS: Final = re.compile(r"\S+@\S+")
_LONGEST_WORDS: Final = 200


class SatisMeterDestination:
    """Keeps SatisMeter's users as their identify calls describe them, and passes on the events that are listed.

    A user can be told of again and again. An event cannot: it may show a survey, and SatisMeter knows no repetition of
    it, so it goes out as a request for a survey does.
    """

    label = "SatisMeter"
    once = frozenset({SURVEY})
    batch_limit = 1
    rate_limit = 0.0

    def __init__(self, wiring: Wiring[SatisMeterSettings]) -> None:
        settings = wiring.settings
        self.connection = wiring.name
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._setting: Callable[[str], str] = wiring.setting
        self._url = settings.base_url + PATH
        self._project = settings.project_id or ""
        self.events = frozenset(settings.events)
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._write_key = settings.write_key.get_secret_value() if settings.write_key else None

    # --- what is owed ---------------------------------------------------------------------------------------------

    def plan_call(self, call: Call, person: Person) -> list[PlannedDelivery] | Awaited:
        """The user for an identify; for a listed event the user as they are now, then the event (pure)."""
        if call.type is CallType.IDENTIFY:
            return [self._user(call, person)]
        if call.type is not CallType.TRACK or call.event not in self.events:
            return []
        if not person.is_identified and person.suppressed_because is None:
            return Awaited(reason=UNIDENTIFIED)  # which may bring the userId of a visitor too
        event = self._event(call, person)
        return [event] if event.filtered_because else [self._user(call, person), event]

    def _user(self, call: Call, person: Person) -> PlannedDelivery:
        """`POST /users` ("Create or update user")."""
        told = {"userId": clean(person.user_id or ""), "traits": traits_of(person)}
        return self._planned(IDENTIFY, call, person, told, hindrance=_anonymous(person))

    def _event(self, call: Call, person: Person) -> PlannedDelivery:
        """`POST /users?type=track` ("Track event API"); of an event SatisMeter takes nothing but the name.

        It would make somebody anonymous of a user it does not know (RudderStack's page), so the user goes first.
        """
        told = {"type": "track", "userId": clean(person.user_id or ""), "event": clean(call.event or "")}
        return self._planned(SURVEY, call, person, told, hindrance=_anonymous(person) or _suppressed(person))

    def _planned(
        self, kind: str, call: Call, person: Person, told: Mapping[str, Any], *, hindrance: str | None
    ) -> PlannedDelivery:
        body = {} if hindrance else {"project": self._project, **told}
        return PlannedDelivery(
            connection=self.connection,
            person=person.key,
            kind=kind,
            message_id=forward_id(call, kind),
            body=orjson.dumps(body),
            filtered_because=hindrance,
        )

    # --- what is sent ---------------------------------------------------------------------------------------------

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Send each in a request of its own, in order; SatisMeter takes no batches."""
        return [await self._send(delivery) for delivery in batch]

    def recipient(self, delivery: Delivery) -> str:
        """SatisMeter's users are ours; it could not tell of one person what it was asked."""
        return delivery.person

    async def verify(self, delivery: Delivery, inquiry: Inquiry, beside: Sequence[Delivery] = ()) -> Outcome:
        """Nothing can be asked: no route shows which events a user had, or whether one of them led to a survey."""
        del delivery, inquiry, beside
        return Unknown(reason="SatisMeter shows nobody which events it was told of")

    async def _send(self, delivery: Delivery) -> Outcome:
        if delivery.kind not in (IDENTIFY, SURVEY):
            return Rejected(reason="is of no kind that SatisMeter takes")
        try:
            reply = await self._post(delivery)
        except NotSent as error:
            return RetryLater(reason=str(error))
        except TryLater as error:
            return _doubtful(delivery.kind, str(error))
        return self._judge(delivery.kind, reply)

    async def _post(self, delivery: Delivery) -> Reply:
        """The API key is what the vendor's page asks for; older recipes know only the write key, in the body.

        Where both are set both are sent, so that either is enough; no key is kept with a delivery.
        """
        body = delivery.body
        if self._write_key is not None:
            body = body[:-1] + b',"writeKey":' + orjson.dumps(self._write_key) + b"}"
        is_event = delivery.kind == SURVEY
        return await self._http.request(
            "POST",
            self._url,
            operation="track" if is_event else "put_user",
            params={"type": "track"} if is_event else None,
            body=body,
            headers=self._headers,
        )

    def _judge(self, kind: str, reply: Reply) -> Outcome:
        """Statuses of the old API are hardly documented; an event is answered with 204, a user with any 2xx."""
        status, said = reply.status, f"HTTP {reply.status}"
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own borders
            trouble = disbelief(reply)
            return _doubtful(kind, f"{said}, but {trouble}") if trouble else Delivered()
        if passing(status):
            return self._passing(kind, reply)
        match status:
            case 401 | 403:
                return Paused(reason=f"{said}: {self._refused_keys()}")
            case 410:
                return Retired(reason=f"{said}: the service has ended")
            case _ if status in _REFUSES_CONTENT:
                return Rejected(reason=f"{said} {self._words(reply)}".strip())
            case _:
                return Paused(reason=f"{said} for {PATH}; check {self._setting('BASE_URL')}")

    def _passing(self, kind: str, reply: Reply) -> Outcome:
        """Who comes too often is turned away before anything is done; of other trouble nobody knows when it struck."""
        said, after = f"HTTP {reply.status}", retry_after(reply, now=self._clock.now())
        if reply.status == 429:  # noqa: PLR2004 - HTTP's own number
            return RetryLater(reason=said, after=after)
        return _doubtful(kind, said, after=after)

    def _refused_keys(self) -> str:
        """The old API says 401 to an unknown project as well."""
        key, project, write_key = (self._setting(name) for name in ("API_KEY", "PROJECT_ID", "WRITE_KEY"))
        other = f"set {write_key}, without which older projects take nothing" if self._write_key is None else write_key
        return f"the key or the project is refused; check {key} and {project}, or {other}"

    def _words(self, reply: Reply) -> str:
        """What a refusal says in one line of text or as the title of its first error, without emails and our keys."""
        words = _title(reply.body)
        for secret in (self._write_key, self._headers["Authorization"].removeprefix("Bearer ")):
            words = words.replace(secret, "***") if secret else words
        return _ADDRESS.sub("***", words)[:_LONGEST_WORDS]


def _anonymous(person: Person) -> str | None:
    return NO_USER_ID if person.user_id is None else None


def _suppressed(person: Person) -> str | None:
    """An event may show a survey."""
    return f"this person is not to be surveyed: {person.suppressed_because}" if person.suppressed_because else None


def _doubtful(kind: str, reason: str, *, after: float | None = None) -> Outcome:
    """It may have happened: an event must not be told twice, a user simply is."""
    return Unknown(reason=reason) if kind == SURVEY else RetryLater(reason=reason, after=after, blame=Blame.UNCLEAR)


def _title(body: bytes) -> str:
    try:
        answer = reading.decode(body, dict[str, Any])
    except BadRecord:
        line = body.decode(errors="replace").strip()
        return line if line.isprintable() and not line.startswith("<") else ""
    errors = answer.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else answer
    return str(first.get("title") or first.get("message") or "") if isinstance(first, dict) else ""
