"""Whether an account works, as far as it can be asked."""

from typing import Any

from npsbridge.core import reading
from npsbridge.core.ports import Finding
from npsbridge.errors import BadRecord, UnreadablePage, VendorError
from npsbridge.net.answers import expect_ok
from npsbridge.net.client import EXCERPT
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.retently.receiver import TEMPLATE
from npsbridge.platforms.retently.settings import RetentlySettings, authorized

PROBE = "/ping"
"""Made to try a key; where it does not exist the list of feedback is asked instead."""
FALLBACK = "/feedback"


async def check(wiring: Wiring[RetentlySettings]) -> list[Finding]:
    """Try the key, and say what cannot be proved."""
    setting = wiring.setting("API_KEY")
    try:
        if not await _answers(wiring, PROBE, setting):
            await _answers(wiring, FALLBACK, setting)
    except VendorError as error:
        return [Finding(subject=wiring.name, is_good=False, text=str(error))]
    unknown = [
        "whether this key belongs to the account that is meant; Retently does not say whose it is",
        *([_about_webhooks()] if wiring.settings.authenticates_hooks else []),
    ]
    return [
        Finding(subject=wiring.name, is_good=True, text=f"{setting} is good"),
        *(Finding(subject=wiring.name, is_good=None, text=text) for text in unknown),
    ]


async def _answers(wiring: Wiring[RetentlySettings], path: str, setting: str) -> bool:
    """Whether the path exists.

    Raises:
        VendorError: the key is refused, there is trouble, or whatever answers there is not Retently.
    """
    params = {"limit": "1"} if path == FALLBACK else None
    reply = await wiring.http.request(
        "GET",
        wiring.settings.base_url + path,
        operation="check",
        params=params,
        headers=authorized(wiring.settings),
    )
    if reply.status == 404 and path != FALLBACK:  # noqa: PLR2004 - HTTP's own number
        return False
    expect_ok(reply, location=path, setting=setting, now=wiring.clock.now)
    try:
        reading.decode(reply.body, dict[str, Any])
    except BadRecord as error:
        reason = f"what answers is not Retently's API; check {wiring.setting('BASE_URL')}"
        raise UnreadablePage(reason, location=path, body=reply.body[:EXCERPT]) from error
    return True


def _about_webhooks() -> str:
    return (
        "whether Retently sends webhooks here shows only when the first one arrives; as their body, in the campaign's "
        f"Export, {TEMPLATE} with the placeholders of that form serves best"
    )
