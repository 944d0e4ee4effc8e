"""Heap (heap.io) as a direct sink: one `Submit Survey` event a response, and the `NPS_*` properties of its person.

Facts from Heap's server-side API pages (developers.heap.io: Track, Bulk Track, Add User Properties, Bulk Add User
Properties). Success and failure bodies say nothing, an event's first version under its idempotency key stays for ever,
and user properties are last-write-wins. This file must not know the store or other platforms.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar, Final, Literal

import orjson
from pydantic import Field, field_validator

from npsbridge.clock import Clock
from npsbridge.core import keys
from npsbridge.core.model import Delivery, Emission, Kind, PlannedDelivery
from npsbridge.core.outcome import Blame, Delivered, Outcome, Paused, Rejected, RetryLater
from npsbridge.core.ports import Finding
from npsbridge.core.revise import comment_of
from npsbridge.core.times import iso_utc
from npsbridge.errors import NotSent, TryLater
from npsbridge.net.answers import passing, retry_after
from npsbridge.net.client import HttpClient, Reply
from npsbridge.net.halves import in_halves, trouble_in
from npsbridge.platforms.base import Platform, Wiring
from npsbridge.settings import PlatformSettings

# --- settings ---------------------------------------------------------------------------------------------------

US, EU = "https://heapanalytics.com", "https://c.eu.heap-api.com"


class HeapSettings(PlatformSettings):
    """Settings of a Heap environment."""

    key_fields: ClassVar[tuple[str, ...]] = ("app_id",)

    app_id: str | None = Field(
        None, description="Environment id (Heap: Account > Manage > Projects).", examples=["123456789"]
    )
    base_url: str = Field(US, description=f"Where Heap's API is; {EU} for data kept in the EU.", examples=[EU])
    identity: Literal["user_id", "email"] = Field(
        "user_id",
        description="What Heap knows people by: user_id or email; cannot be changed once something was delivered.",
        examples=["email"],
    )

    @field_validator("app_id")
    @classmethod
    def _digits(cls, value: str | None) -> str | None:
        if value is not None and not value.isdigit():
            raise ValueError("is not a number")
        return value


# --- destination ------------------------------------------------------------------------------------------------

BATCH: Final = 500
"""Heap takes 1,000 a request; its request size limit is not published."""
A_SECOND: Final = 175.0
"""Seventy per cent of the 15,000 events a minute that Heap's Bulk Track page allows an environment."""
TEXT_LIMIT: Final = 1023
"""Characters of a property: "fewer than 1024" (Track)."""
IDENTITY_LIMIT: Final = 255

_PATHS: Final = {Kind.SUBMIT: ("/api/track", "events"), Kind.IDENTIFY: ("/api/add_user_properties", "users")}


class HeapDestination:
    """Sends events and user properties in bulk, each kind to its own path, in the order given."""

    batch_limit = BATCH
    rate_limit = A_SECOND

    def __init__(self, wiring: Wiring[HeapSettings]) -> None:
        self.connection = wiring.name
        self._settings = wiring.settings
        self._app_id = wiring.settings.app_id or ""
        self._base = wiring.settings.base_url.rstrip("/")
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._setting, self._base_setting = wiring.setting("APP_ID"), wiring.setting("BASE_URL")

    def plan(self, emission: Emission) -> list[PlannedDelivery]:
        """The event once in a response's life, the properties whenever an identify is said (pure)."""
        identity = self._identity(emission)
        planned = []
        if Kind.SUBMIT in emission.kinds and emission.revision == 1:
            planned.append(self._planned(emission, Kind.SUBMIT, identity))
        if Kind.IDENTIFY in emission.kinds:
            planned.append(self._planned(emission, Kind.IDENTIFY, identity))
        return planned

    def _identity(self, emission: Emission) -> str | None:
        identity = emission.identity
        return identity.user_id if self._settings.identity == "user_id" else identity.email

    def _planned(self, emission: Emission, kind: Kind, identity: str | None) -> PlannedDelivery:
        response = emission.response
        message_id = keys.message_id(
            self._app_id, response.platform, response.connection, response.id, kind, emission.revision
        )
        body = _event(emission, message_id) if kind is Kind.SUBMIT else _user(emission)
        return PlannedDelivery(
            connection=self.connection,
            person=f"heap:{identity or response.id}",
            kind=kind,
            message_id=message_id,
            body=orjson.dumps({"identity": identity, **body}),
            subject=f"{response.connection}/{response.id}",
            filtered_because=self._hindrance(identity),
        )

    def _hindrance(self, identity: str | None) -> str | None:
        if identity is None:
            return f"no {self._settings.identity} is known of this person"
        return None if len(identity) <= IDENTITY_LIMIT else f"the {self._settings.identity} is longer than Heap takes"

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """One request a kind; events do not touch properties, so only the order within a kind matters to Heap."""
        settled: dict[int, Outcome] = {}
        trouble: Outcome | None = None
        for kind in _PATHS:
            part = [delivery for delivery in batch if delivery.kind == kind]
            if part and trouble is None:
                sent = await in_halves(part, partial(self._send, kind))
                trouble = trouble_in(sent)
                settled |= {delivery.id: outcome for delivery, outcome in zip(part, sent, strict=True)}
        unsent = trouble or Rejected(reason="is of no kind that Heap takes")
        return [settled.get(delivery.id, unsent) for delivery in batch]

    async def _send(self, kind: Kind, part: Sequence[Delivery]) -> Outcome:
        path, name = _PATHS[kind]
        entries = b",".join(delivery.body for delivery in (part if kind is Kind.SUBMIT else _newest(part)))
        body = b'{"app_id":"' + self._app_id.encode() + b'","' + name.encode() + b'":[' + entries + b"]}"
        headers = {"Content-Type": "application/json"}
        try:
            reply = await self._http.request("POST", self._base + path, operation=name, body=body, headers=headers)
        except TryLater as error:
            blame = Blame.CONNECTION if isinstance(error, NotSent) else Blame.UNCLEAR
            return RetryLater(reason=str(error), blame=blame)
        return self._judge(reply)

    def _judge(self, reply: Reply) -> Outcome:
        status = reply.status
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own border
            is_page = reply.body.lstrip().startswith(b"<")
            return RetryLater(reason="Heap answered with a web page", blame=Blame.UNCLEAR) if is_page else Delivered()
        if passing(status):
            after = retry_after(reply, now=self._clock.now())
            blame = Blame.CONNECTION if status == 429 else Blame.UNCLEAR  # noqa: PLR2004
            return RetryLater(reason=f"HTTP {status}", after=after, blame=blame)
        if status in (400, 413, 422):
            return Rejected(reason=f"HTTP {status}")
        culprit = self._setting if status in (401, 403) else self._base_setting
        return Paused(reason=f"HTTP {status}; check {culprit}")


def _event(emission: Emission, message_id: str) -> dict[str, Any]:
    response = emission.response
    comment = comment_of(response)
    properties = {
        "Score": response.score,
        "Comment": comment[:TEXT_LIMIT] if comment else None,
        "Comment truncated": "true" if comment and len(comment) > TEXT_LIMIT else None,
        "Permalink": response.permalink[:TEXT_LIMIT] if isinstance(response.permalink, str) else None,
        "Created at": iso_utc(response.created_at),
        "Updated at": iso_utc(response.updated_at) if response.updated_at else None,
    }
    return {
        "event": "Submit Survey",
        "timestamp": iso_utc(response.created_at),
        "idempotency_key": message_id,
        "properties": {name: value for name, value in properties.items() if value is not None},
    }


def _user(emission: Emission) -> dict[str, Any]:
    """Heap has no null: a new score without a comment empties the old comment."""
    response = emission.response
    traits = {
        "NPS_rating": int(response.score or 0),
        "NPS_comment": (comment_of(response) or "")[:TEXT_LIMIT],
        "NPS_date": iso_utc(response.created_at),
    }
    return {"properties": traits}


def _newest(part: Sequence[Delivery]) -> list[Delivery]:
    """Only the last properties of each person: whether Heap keeps the order within a request is not documented."""
    latest = {delivery.person: delivery for delivery in part}
    return [delivery for delivery in part if latest[delivery.person] is delivery]


# --- check ------------------------------------------------------------------------------------------------------


async def check(wiring: Wiring[HeapSettings]) -> list[Finding]:
    """What an operator has to know; Heap offers nothing that could be asked without writing."""
    setting = wiring.setting("APP_ID")
    texts = [
        f"whether {setting} is right cannot be proved: Heap answers 200 to any; look at its Live view",
        "switch off Segment's own Heap destination for these events, or every answer counts twice",
    ]
    return [Finding(subject=wiring.name, is_good=None, text=text) for text in texts]


platform = Platform(
    name="heap",
    settings=HeapSettings,
    destination=HeapDestination,
    frozen=lambda settings: {"identity": settings.identity},
    check=check,
)
