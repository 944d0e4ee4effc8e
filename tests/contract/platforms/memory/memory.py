"""The reference platform: everything that a survey platform needs, in one file, to be copied as a start.

Its vendor lives in memory only (see `test_memory.py`) and is the kindest there can be: a list in the order of the last
change, cursors that stand for a place and not for a number, and signed webhooks that carry the whole answer. What a
real vendor lacks of that is what makes its platform longer. In the order of reading: settings, parsing, source,
receiver, and the one exported `platform`.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar

import msgspec
from pydantic import Field, SecretStr

from npsbridge.core import reading
from npsbridge.core.model import Respondent, Response
from npsbridge.core.ports import Page
from npsbridge.core.times import milliseconds
from npsbridge.errors import BadRecord, UnreadablePage
from npsbridge.net.answers import expect_ok, said_at
from npsbridge.net.client import EXCERPT, Reply
from npsbridge.platforms.base import Platform, Wiring
from npsbridge.settings import SurveySettings

SIGNATURE = "x-memory-signature"

# --- settings ---------------------------------------------------------------------------------------------------


class MemorySettings(SurveySettings):
    """Settings of one account."""

    key_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: SecretStr | None = Field(None, description="The account's key.")
    base_url: str = Field("https://memory.example/api", description="Where the API is.")
    webhook_secret: SecretStr | None = Field(None, description="What webhooks are signed with.")

    @property
    def authenticates_hooks(self) -> bool:
        """Webhooks are signed with a secret of their own."""
        return self.webhook_secret is not None


# --- parsing (pure) ---------------------------------------------------------------------------------------------


class _Row(msgspec.Struct):
    """An answer as the vendor sends it; whatever a field holds, it is looked at below and not here."""

    id: Any = None
    given: Any = None
    changed: Any = None
    score: Any = None
    comment: Any = None
    kind: Any = None
    email: Any = None
    person: Any = None


def parse(connection: str, record: bytes) -> Response:
    """Read one answer.

    Raises:
        BadRecord: what matters (id, times, score, comment, person, kind) is not what the API promises.
    """
    row = reading.decode(record, _Row)
    survey_type = (reading.text(row.kind, "/kind") or "nps").lower()
    return Response(
        platform="memory",
        connection=connection,
        id=reading.identifier(row.id),
        survey_type=survey_type,
        score=reading.score(row.score, survey_type),
        comment=reading.text(row.comment, "/comment"),
        created_at=reading.instant(row.given, "/given"),
        updated_at=reading.optional_instant(row.changed, "/changed"),
        person=Respondent(
            id=reading.optional_identifier(row.person, "/person"), email=reading.text(row.email, "/email")
        ),
    )


# --- source -----------------------------------------------------------------------------------------------------


class _Sheet(msgspec.Struct):
    """A page of the list."""

    answers: list[msgspec.Raw]
    next: str | None
    """Where the next page begins; None on the last one."""


class _Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """The checkpoint. Times are the vendor's own, milliseconds since 1970."""

    next: str | None = None
    """The page to go on with; None: a new round begins."""
    newest: int = 0
    """The latest change in all rounds that came to their end."""
    reached: int = 0
    """The latest change in the round under way."""
    is_backfilling: bool = False
    given_from: int = 0
    """Answers that were given before are not wanted (BACKFILL_SINCE)."""
    changed_after: tuple[int, str] = (0, "")
    """What was last changed when we came is not wanted, nor is what lies before it (BACKFILL)."""

    def after(self, sheet: _Sheet, now: int) -> "_Place":
        """The place once a page is stored; a row that is dated in the future hides nothing."""
        changes = [at for row in sheet.answers if (at := _times(bytes(row))[1]) <= now]
        reached = max([self.reached, *changes])
        if sheet.next is not None:
            return msgspec.structs.replace(self, next=sheet.next, reached=reached)
        newest = max(self.newest, reached)
        return msgspec.structs.replace(self, next=None, newest=newest, reached=0, is_backfilling=False)

    def wants(self, record: bytes) -> bool:
        """Whether a record is news; one that cannot be read is, it goes to the shelf."""
        given, changed, number = _times(record)
        return not number or (given >= self.given_from and (changed, number) > self.changed_after)


def _times(record: bytes) -> tuple[int, int, str]:
    """When an answer was given and last changed, and its id; zeros and nothing when that cannot be read."""
    try:
        row = reading.decode(record, _Row)
        given, changed = reading.instant(row.given, "/given"), reading.optional_instant(row.changed, "/changed")
        return milliseconds(given), milliseconds(changed or given), reading.identifier(row.id)
    except BadRecord:
        return 0, 0, ""


class MemorySource:
    """Reads answers in the order of their last change: whatever is edited comes again by itself."""

    def __init__(self, wiring: Wiring[MemorySettings]) -> None:
        self.connection = wiring.name
        self.poll_interval = wiring.settings.poll_interval
        self._wiring = wiring
        self._settings = wiring.settings

    async def read(self, checkpoint: bytes | None) -> AsyncIterator[Page]:
        """One round; see `Source.read`. A page that is broken off is asked for again by the next round."""
        place = msgspec.json.decode(checkpoint, type=_Place) if checkpoint else await self._start()
        while True:
            wanted, is_history = place.wants, place.is_backfilling
            sheet, now = await self._list(self._query(place))
            place = place.after(sheet, now)
            records = [bytes(row) for row in sheet.answers if wanted(bytes(row))]
            yield Page(records=records, checkpoint=msgspec.json.encode(place), backfilling=is_history)
            if place.next is None:
                return

    def _query(self, place: _Place) -> Mapping[str, str]:
        """The next page, or all that has changed since the end of the round before and the overlap."""
        if place.next is not None:
            return {"after": place.next}
        return {"since": str(max(0, place.newest - int(self._settings.overlap * 1000)))}

    async def _start(self) -> _Place:
        """What is there already when we come, and is not wanted."""
        if self._settings.backfill:
            since = self._settings.backfill_since
            return _Place(is_backfilling=True, given_from=milliseconds(since) if since else 0)
        sheet, _ = await self._list({"order": "newest", "limit": "1"})
        _, changed, number = _times(bytes(sheet.answers[0])) if sheet.answers else (0, 0, "")
        return _Place(newest=changed, changed_after=(changed, number))

    async def _list(self, query: Mapping[str, str]) -> tuple[_Sheet, int]:
        """A page, and the vendor's own time."""
        key = self._settings.api_key.get_secret_value() if self._settings.api_key else ""
        clock, setting = self._wiring.clock, self._wiring.setting("API_KEY")
        reply = await self._wiring.http.request(
            "GET",
            f"{self._settings.base_url}/answers",
            operation="list_answers",
            params=query,
            headers={"Authorization": f"Bearer {key}"},
        )
        expect_ok(reply, location="/answers", setting=setting, now=clock.now)
        return _sheet(reply), milliseconds(said_at(reply) or clock.now())


def _sheet(reply: Reply) -> _Sheet:
    try:
        return reading.decode(reply.body, _Sheet)
    except BadRecord as error:
        reason = f"the answer is not a list of answers: {error}"
        raise UnreadablePage(reason, location="/answers", body=reply.body[:EXCERPT]) from error


# --- receiver ---------------------------------------------------------------------------------------------------


class MemoryReceiver:
    """Takes signed webhooks; each carries one answer as the list shows it."""

    def __init__(self, wiring: Wiring[MemorySettings]) -> None:
        secret = wiring.settings.webhook_secret
        self._secret = secret.get_secret_value() if secret else ""

    def authentic(self, headers: Mapping[str, str], raw: bytes) -> bool:
        """Whether the signature is right; without a secret none is."""
        given = headers.get(SIGNATURE, "").encode()
        return bool(self._secret) and hmac.compare_digest(given, signature(self._secret, raw).encode())

    def records(self, raw: bytes) -> list[bytes]:
        """The one answer; what is wrong with it shows when it is parsed."""
        reading.decode(raw, dict[str, Any])
        return [raw]


def signature(secret: str, raw: bytes) -> str:
    """How the vendor signs."""
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


# --- the platform -----------------------------------------------------------------------------------------------

platform = Platform(
    name="memory",
    settings=MemorySettings,
    parse=parse,
    source=MemorySource,
    receiver=MemoryReceiver,
    requests_per_minute=lambda settings: settings.rate_limit,
)
