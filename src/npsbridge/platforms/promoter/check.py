"""Whether an account works, as far as it can be asked."""

from npsbridge.core.ports import Finding
from npsbridge.errors import VendorError
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter.api import FeedbackApi
from npsbridge.platforms.promoter.settings import PromoterSettings


async def check(wiring: Wiring[PromoterSettings]) -> list[Finding]:
    """Ask for feedback of days that have none: it takes a good key, and shows what the account's API can do."""
    try:
        version, filters_work = await FeedbackApi(wiring).prove()
    except VendorError as error:
        return [_finding(wiring, str(error), is_good=False)]
    key = f"{wiring.setting('API_KEY')} is good; feedback is read through v{version} of the API"
    hooks = "Promoter.io signs no webhooks; whether it sends any here shows only when the first one arrives"
    limit = f"whether {wiring.setting('RATE_LIMIT')} is what the account may ask cannot be seen from here"
    return [
        _finding(wiring, key, is_good=True),
        *([] if filters_work else [_finding(wiring, _IGNORED, is_good=None)]),
        _finding(wiring, hooks, is_good=None),
        _finding(wiring, limit, is_good=None),
    ]


_IGNORED = "the API ignores the date filters, so every round reads all the feedback there is"


def _finding(wiring: Wiring[PromoterSettings], text: str, *, is_good: bool | None) -> Finding:
    return Finding(subject=wiring.name, is_good=is_good, text=text)
