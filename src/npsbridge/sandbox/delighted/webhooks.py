"""How Delighted words and signs its webhooks; how they travel is in `npsbridge.sandbox.webhooks`."""

import hashlib
import hmac
from typing import Any

import msgspec

from npsbridge.sandbox.webhooks import Webhook, json_webhook

SIGNATURE_HEADER = "X-Delighted-Webhook-Signature"


def signature(body: bytes, api_key: str) -> str:
    """`sha256=` and the HMAC-SHA256 of the raw body in hex, keyed with the project's private API key.

    Source: delighted.com/docs/api/webhooks; the prefix is what a published verifier (kiteco/kiteco) checks.
    """
    return f"sha256={hmac.new(api_key.encode(), body, hashlib.sha256).hexdigest()}"


def signed_webhook(event_type: str, event_id: str, event_data: dict[str, Any], api_key: str) -> Webhook:
    """An event in its envelope, signed."""
    envelope = {"event_type": event_type, "event_id": event_id, "event_data": event_data}
    plain = json_webhook(event_type, event_id, envelope)
    signed = {**plain.headers, SIGNATURE_HEADER: signature(plain.body, api_key)}
    return msgspec.structs.replace(plain, headers=signed)
