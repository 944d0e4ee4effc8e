"""SatisMeter's webhooks, which it does not sign (help centre, "Webhooks")."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from npsbridge.clock import Clock
from npsbridge.core import reading
from npsbridge.core.ports import Heard
from npsbridge.core.times import milliseconds
from npsbridge.errors import BadRecord
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.satismeter.parse import COMPLETED, DISMISSED, event_of
from npsbridge.platforms.satismeter.settings import SatisMeterSettings


class _Envelope(msgspec.Struct):
    event: Any = None
    response: msgspec.Raw | UnsetType = UNSET


class _Head(msgspec.Struct):
    id: Any = None
    project: Any = None
    created: Any = None
    completed: Any = None
    dismissed: Any = None


class Hint(msgspec.Struct, frozen=True, kw_only=True):
    """A completed survey that is to be read back."""

    id: str
    answered_at: int | None
    """Milliseconds since 1970, by the vendor's word; None when it does not say."""
    heard_at: int
    """Milliseconds since 1970, by our clock."""
    body: msgspec.Raw
    """The webhook itself, in case that the list never shows the response."""

    def encode(self) -> str:
        """As it is kept until it is read back."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, hint: str) -> "Hint":
        """The hint that was kept."""
        return msgspec.json.decode(hint, type=cls)


class SatisMeterReceiver:
    """Tells a `completed` survey, which is read back, from a `dismissed` one, which no API shows: its body counts.

    The event's name is under `event`, the response under `response`; a bare response with a flag of one of the two
    names is understood as well.
    """

    def __init__(self, wiring: Wiring[SatisMeterSettings]) -> None:
        token = wiring.settings.webhook_token
        self.token = token.get_secret_value() if token else ""
        self._project = wiring.settings.project_id
        self._clock: Clock = wiring.clock

    def hear(self, raw: bytes) -> Heard:
        """See `TokenReceiver.hear`; news of another project is not ours."""
        _check_text(raw)
        envelope = reading.decode(raw, _Envelope)
        if envelope.event is None and envelope.response is UNSET:
            raw = b'{"response":%b}' % raw
            envelope = reading.decode(raw, _Envelope)
        if envelope.event is not None and event_of(envelope.event, None, None) not in (COMPLETED, DISMISSED):
            return Heard()
        head = _head(envelope.response)
        event = event_of(envelope.event, head.completed, head.dismissed)
        if event is None or head.project not in (None, self._project):
            return Heard()
        number = reading.identifier(head.id, "/response/id")
        if event == DISMISSED:
            return Heard(records=[raw])
        answered_at, body = _moment(head.created), msgspec.Raw(raw)
        return Heard(
            hints=[Hint(id=number, answered_at=answered_at, heard_at=self._clock.now_ms(), body=body).encode()]
        )


def _check_text(raw: bytes) -> None:
    """What is kept until it is read back is kept as text."""
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        raise BadRecord("", "is not UTF-8") from error


def _head(response: msgspec.Raw | UnsetType) -> _Head:
    if isinstance(response, UnsetType):
        raise BadRecord("/response", "is missing")
    try:
        return reading.decode(bytes(response), _Head)
    except BadRecord as error:
        raise BadRecord("/response" + error.pointer, error.reason) from error


def _moment(value: object) -> int | None:
    try:
        moment: datetime = reading.instant(value, "/response/created")
    except BadRecord:
        return None
    return milliseconds(moment)
