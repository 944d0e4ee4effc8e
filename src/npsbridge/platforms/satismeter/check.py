"""Whether an account works, as far as it can be asked."""

from npsbridge.core.ports import Finding
from npsbridge.errors import VendorError
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.satismeter.lists import ResponseLists
from npsbridge.platforms.satismeter.place import Span
from npsbridge.platforms.satismeter.settings import SatisMeterSettings

HOUR = 3_600_000


async def check(wiring: Wiring[SatisMeterSettings]) -> list[Finding]:
    """Ask for the responses of the last hour: a project's key is good for nothing but its own project."""
    key, project = wiring.setting("API_KEY"), wiring.setting("PROJECT_ID")
    lists, now = ResponseLists(wiring), wiring.clock.now_ms()
    try:
        await lists.page(Span(since=now - HOUR, until=now))
    except VendorError as error:
        return [Finding(subject=wiring.name, is_good=False, text=str(error))]
    route = " for the old export, which cannot tell CSAT, CES and PMF from NPS" if lists.is_legacy else ""
    found = [Finding(subject=wiring.name, is_good=True, text=f"{key} and {project} are good{route}")]
    return found + [Finding(subject=wiring.name, is_good=None, text=text) for text in _unknown(wiring)]


def _unknown(wiring: Wiring[SatisMeterSettings]) -> list[str]:
    hooks = (
        "whether SatisMeter sends its webhooks here shows only when the first one arrives"
        if wiring.settings.webhook_token
        else f"without {wiring.setting('WEBHOOK_TOKEN')} nothing tells of closed surveys, and of completed ones only "
        "those with a comment are known"
    )
    return [
        hooks,
        "SatisMeter's own Segment integration must be off, or every answer is told twice; it cannot be asked",
    ]
