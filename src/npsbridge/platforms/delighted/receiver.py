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
    event_type: str = ""
    event_data: msgspec.Raw = msgspec.Raw(b"null")


class DelightedReceiver:
    """Webhooks signed with HMAC-SHA256 over the raw body, in hex, with or without the prefix `sha256=`.

    Header and key by Delighted's page "Webhooks"; prefix and hex form by the verifier in Kite's server (kiteco/kiteco).
    """

    def __init__(self, wiring: Wiring[DelightedSettings]) -> None:
        secret = wiring.settings.webhook_secret or wiring.settings.api_key
        self._secret = secret.get_secret_value().encode() if secret else None

    def authentic(self, headers: Mapping[str, str], raw: bytes) -> bool:
        """Whether the signature is right; see `Receiver.authentic`."""
        if self._secret is None:
            return False
        given = headers.get(SIGNATURE, "").lower().removeprefix("sha256=")
        expected = hmac.new(self._secret, raw, hashlib.sha256).hexdigest()
        # A header may hold any byte, and aiohttp hands it on as half a surrogate pair.
        return hmac.compare_digest(given.encode(errors="surrogatepass"), expected.encode())

    def records(self, raw: bytes) -> list[bytes]:
        """The response of a `survey_response.*` event; other events carry none. Raises BadRecord."""
        hook = reading.decode(raw, _Hook)
        if not hook.event_type:
            raise BadRecord("/event_type", "is missing")
        if not hook.event_type.startswith("survey_response."):
            return []
        event_data = bytes(hook.event_data)
        if not event_data.startswith(b"{"):
            raise BadRecord("/event_data", "is not an object")
        return [event_data]
