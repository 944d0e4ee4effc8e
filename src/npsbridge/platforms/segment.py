"""Segment's tracking API, and whatever speaks it: RudderStack, Jitsu, Hightouch, Customer.io.

Facts from Segment's HTTP API page (segment.com/docs/connections/sources/catalog/libraries/server/http-api), from
RudderStack's server and from Jitsu's ingest. Segment's edge says 200 to almost everything; only size, syntax and rate
are ever refused. This file must not know the store or other platforms.
"""

import base64
import re
import uuid
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
import orjson
from pydantic import Field, SecretStr, field_validator

from npsbridge import __version__
from npsbridge.clock import Clock
from npsbridge.core import keys, translate
from npsbridge.core.identity import delivery_person
from npsbridge.core.model import Delivery, Emission, PlannedDelivery
from npsbridge.core.outcome import Blame, Delivered, Outcome, Paused, Rejected, RetryLater
from npsbridge.core.ports import Finding
from npsbridge.core.times import iso_utc
from npsbridge.errors import NotSent, PersonMustAct, TryLater, VendorError
from npsbridge.net import halves
from npsbridge.net.answers import disbelief, expect_ok, passing, retry_after
from npsbridge.net.client import HttpClient, Reply
from npsbridge.net.halves import Halves
from npsbridge.platforms.base import Guide, Platform, Wiring
from npsbridge.settings import PlatformSettings

# --- settings ---------------------------------------------------------------------------------------------------

US, EU = "https://api.segment.io", "https://events.eu1.segmentapis.com"
SETTINGS_HOST = "https://cdn.segment.com"
"""Where Segment tells browsers about a source, for both regions."""


class SegmentSettings(PlatformSettings):
    """Settings of the Segment source (or its like) that answers are sent to."""

    key_fields: ClassVar[tuple[str, ...]] = ("write_key",)

    write_key: SecretStr | None = Field(None, description="Write key of the source that survey answers are sent to.")
    base_url: str = Field(US, description="Where the tracking API is, without /v1; any endpoint that speaks it.")
    region: Literal["us", "eu"] = Field("us", description="us or eu: which of Segment's own endpoints.")
    integrations: dict[str, Any] | None = Field(
        None, description="JSON object copied to every emitted call.", examples=['{"All":true}']
    )
    rate_limit: float = Field(1000.0, ge=0, description="Events a second; 0 for no limit.")

    @field_validator("base_url")
    @classmethod
    def _without_version(cls, value: str) -> str:
        return value.rstrip("/").removesuffix("/v1").rstrip("/")

    @property
    def endpoint(self) -> str:
        """The base URL in force: a base URL of one's own wins over the region."""
        return EU if self.region == "eu" and self.base_url == US else self.base_url


def basic(key: str) -> str:
    """HTTP Basic with the write key as user name and a blank password (Segment's HTTP API page)."""
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


# --- destination ------------------------------------------------------------------------------------------------

BATCH_BYTES = 450_000
"""Segment refuses a batch over 500 KB; its own clients stay below by about as much."""
BATCH_EVENTS = 500
"""Segment drops what comes after 2,500 events without a word; smaller batches cost little and fail cheaper."""
ALL_REFUSED = 5
"""So many events refused, and none accepted, is no poison: the key or the address is wrong."""

_EMAIL = re.compile(r"\S+@\S+")


class SegmentDestination:
    """Sends calls in batches, each batch in the order given; every event carries its deterministic messageId."""

    def __init__(self, wiring: Wiring[SegmentSettings]) -> None:
        settings = wiring.settings
        self.connection = wiring.name
        self.rate_limit = settings.rate_limit
        self.batch_limit = int(min(BATCH_EVENTS, max(1, self.rate_limit / 4))) if self.rate_limit else BATCH_EVENTS
        self._settings = settings
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._url = f"{settings.endpoint}/v1/batch"
        self._key = settings.write_key.get_secret_value() if settings.write_key else ""
        self._setting, self._base_setting = wiring.setting("WRITE_KEY"), wiring.setting("BASE_URL")
        self._headers = {"Authorization": basic(self._key), "Content-Type": "application/json"}
        # The key stands in the body as well: endpoints differ in where they look for it.
        self._tail = b',"writeKey":' + orjson.dumps(self._key) + b"}"
        self._halves = Halves(self._send, pack=packed, all_refused=ALL_REFUSED, refuses_all=self._refuses_all)

    def plan(self, emission: Emission) -> list[PlannedDelivery]:
        """One delivery per kind, in order (pure). Raises ValueError for what cannot be made to fit 32 KB."""
        response, person = emission.response, delivery_person(emission.identity)
        words = translate.Wording(emission, integrations=self._settings.integrations, library_version=__version__)
        message_ids = keys.message_ids(
            self._key, response.platform, response.connection, response.id, emission.kinds, emission.revision
        )
        subject = f"{response.connection}/{response.id}"
        return [
            PlannedDelivery(
                connection=self.connection,
                person=person,
                kind=kind.value,
                message_id=message_id,
                body=words.body(kind, message_id),
                subject=subject,
            )
            for kind, message_id in zip(emission.kinds, message_ids, strict=True)
        ]

    async def deliver(self, batch: Sequence[Delivery]) -> list[Outcome]:
        """Send in order; stop at the first trouble that is not a single event's own."""
        return await self._halves.deliver(batch)

    def _refuses_all(self, said: str) -> Paused:
        return Paused(reason=f"every event is refused ({said}); check {self._setting} and {self._base_setting}")

    async def _send(self, part: Sequence[Delivery]) -> Outcome:
        try:
            reply = await self._post(part)
        except TryLater as error:
            blame = Blame.CONNECTION if isinstance(error, NotSent) else Blame.UNCLEAR
            return RetryLater(reason=str(error), blame=blame)
        return Rejected(reason=self._said(reply)) if _refuses_content(reply.status) else self._judge(reply)

    async def _post(self, part: Sequence[Delivery]) -> Reply:
        """`sentAt` is the time of this attempt: Segment shifts every timestamp by how far it lies back."""
        events = b",".join(delivery.body for delivery in part)
        sent_at = iso_utc(self._clock.now()).encode()
        body = b'{"batch":[' + events + b'],"sentAt":"' + sent_at + b'"' + self._tail
        return await self._http.request("POST", self._url, operation="batch", body=body, headers=self._headers)

    def _judge(self, reply: Reply) -> Outcome:
        status = reply.status
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own border
            trouble = disbelief(reply)
            if trouble is None:
                return Delivered()
            return RetryLater(reason=f"{trouble} ({self._said(reply)})", blame=Blame.UNCLEAR)
        if passing(status) and status not in (501, 505):
            after = retry_after(reply, now=self._clock.now())
            blame = Blame.CONNECTION if status == 429 else Blame.UNCLEAR  # noqa: PLR2004 - HTTP's own number
            return RetryLater(reason=self._said(reply), after=after, blame=blame)
        culprit = self._setting if status in (401, 403) else self._base_setting
        return Paused(reason=f"{self._said(reply)}; check {culprit}")

    def _said(self, reply: Reply) -> str:
        """The endpoint's own words, cut short, without our key and without emails."""
        words = _words(reply.body).replace(self._key or "\0", "***")
        return f"HTTP {reply.status} {_EMAIL.sub('***', words)}".strip()[:200]


def _words(body: bytes) -> str:
    """Of JSON only `code` and `message`, for the rest may echo the event; RudderStack answers in a line of text."""
    answer = _json(body)
    if answer is not None:
        named = [answer.get(name) for name in ("code", "message")] if isinstance(answer, dict) else []
        return " ".join(str(word) for word in named if word)
    is_one_line = body.isascii() and body.strip().decode().isprintable() and not body.lstrip().startswith(b"<")
    return body.strip().decode() if is_one_line else ""


def packed(batch: Sequence[Delivery]) -> list[list[Delivery]]:
    """Split a batch, in order, into parts that stay below Segment's limit of 500 KB a request."""
    return halves.packed(batch, BATCH_BYTES)


def _json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _refuses_content(status: int) -> bool:
    """400, 413, 422 and their like are about what was sent; 401, 403, 404, 410 are about who and where."""
    is_about_us = status in (401, 403, 404, 405, 407, 410)
    return 400 <= status < 500 and not passing(status) and not is_about_us  # noqa: PLR2004 - HTTP's own borders


# --- check ------------------------------------------------------------------------------------------------------


async def check(wiring: Wiring[SegmentSettings]) -> list[Finding]:
    """Ask Segment's settings route for the write key; the tracking API itself never tells.

    Only Segment is sure to have that route; for other endpoints, and for what becomes of an event later, nothing can be
    proved.
    """
    settings, key = wiring.settings, wiring.settings.write_key
    is_segment = settings.endpoint in (US, EU)
    host = SETTINGS_HOST if is_segment else settings.endpoint
    url = f"{host}/v1/projects/{key.get_secret_value() if key else ''}/settings"
    try:
        reply = await wiring.http.request("GET", url, operation="check")
    except VendorError as error:
        return [Finding(subject=wiring.name, is_good=False, text=str(error)), _unproved(wiring.name)]
    is_good, words = _verdict(reply, is_segment=is_segment)
    text = f"{wiring.setting('WRITE_KEY')} {words}"
    return [Finding(subject=wiring.name, is_good=is_good, text=text), _unproved(wiring.name)]


def _verdict(reply: Reply, *, is_segment: bool) -> tuple[bool | None, str]:
    answers_in_json = isinstance(_json(reply.body), dict)
    if reply.status == 200 and answers_in_json:  # noqa: PLR2004 - HTTP's own number
        return True, "is known to the settings route"
    if reply.status == 404 and (is_segment or answers_in_json):  # noqa: PLR2004 - HTTP's own number
        return False, "is not known to the settings route (HTTP 404)"
    return None, f"cannot be checked: the settings route, which only Segment must have, answers HTTP {reply.status}"


def _unproved(name: str) -> Finding:
    text = "that events are kept cannot be proved: Segment answers 200 also to a wrong key, region or blocked event"
    return Finding(subject=name, is_good=None, text=text)


# --- setting up -------------------------------------------------------------------------------------------------

GUIDE = Guide(
    label="Segment",
    asks={
        "write_key": "Connections > Sources > your source > Settings > API keys; an HTTP API source serves best",
        "region": "us or eu, as the workspace is",
    },
    optional=frozenset({"region"}),
    beware=(
        "For RudderStack, Jitsu and other endpoints: --set base_url=https://... (without /v1), and their write key.",
        "Look for what arrives in the source's Debugger.",
    ),
)


async def try_out(wiring: Wiring[SegmentSettings]) -> str:
    """Send one event that reaches the source, and none of its destinations."""
    key = wiring.settings.write_key
    event = {
        "type": "track",
        "event": "npsbridge Connected",
        "anonymousId": "npsbridge-connect",
        "messageId": f"npsbridge-connect-{uuid.uuid4()}",
        "timestamp": iso_utc(wiring.clock.now()),
        "context": {"active": False, "library": {"name": "npsbridge", "version": __version__}},
        "integrations": {"All": False},
        "properties": {"connection": wiring.name},
    }
    secret = key.get_secret_value() if key else ""
    body = orjson.dumps({"batch": [event], "sentAt": event["timestamp"], "writeKey": secret})
    url = f"{wiring.settings.endpoint}/v1/batch"
    headers = {"Authorization": basic(secret), "Content-Type": "application/json"}
    reply = await wiring.http.request("POST", url, operation="try_out", body=body, headers=headers)
    expect_ok(reply, location="/v1/batch", setting=wiring.setting("WRITE_KEY"), now=wiring.clock.now)
    if trouble := disbelief(reply):
        raise PersonMustAct(f"{trouble}; check {wiring.setting('BASE_URL')}")
    return "the event `npsbridge Connected` was taken; it must show in the source's Debugger; it goes no further"


platform = Platform(
    name="segment",
    settings=SegmentSettings,
    destination=SegmentDestination,
    check=check,
    guide=GUIDE,
    try_out=try_out,
)
