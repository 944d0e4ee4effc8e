"""Delighted's signed webhooks."""

import hashlib
import hmac
from collections.abc import Mapping

import msgspec

from npsbridge.core import reading
from npsbridge.errors import BadRecord
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.delighted.settings import DelightedSettings

SIGNATURE = "x-delighted-webhook-signature"


class _Hook(msgspec.Struct):
    event_type: str
    event_data: msgspec.Raw = msgspec.Raw(b"null")


class DelightedReceiver:
    """Webhooks signed with HMAC-SHA256 over the raw body, hex, with or without the prefix `sha256=` (D-hook)."""

    def __init__(self, wiring: Wiring[DelightedSettings]) -> None:
        secret = wiring.settings.webhook_secret or wiring.settings.api_key
        self._secret = secret.get_secret_value().encode() if secret else None

    def authentic(self, headers: Mapping[str, str], raw: bytes) -> bool:
        """Whether the signature is right; see `Receiver.authentic`."""
        given = headers.get(SIGNATURE, "").removeprefix("sha256=").lower()
        if self._secret is None:
            return False
        expected = hmac.new(self._secret, raw, hashlib.sha256).hexdigest()
        return hmac.compare_digest(given.encode(), expected.encode())

    def records(self, raw: bytes) -> list[bytes]:
        """The response of a `survey_response.*` event; other events carry none. Raises BadRecord."""
        hook = reading.decode(raw, _Hook)
        if not hook.event_type.startswith("survey_response."):
            return []
        if not bytes(hook.event_data).lstrip().startswith(b"{"):
            raise BadRecord("/event_data", "is not an object")
        return [bytes(hook.event_data)]
