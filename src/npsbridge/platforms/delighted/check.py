"""Whether an account works, as far as it can be asked."""

from npsbridge.core.ports import Finding
from npsbridge.errors import VendorError
from npsbridge.net.answers import expect_ok
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.delighted.settings import DelightedSettings, authorized


async def check(wiring: Wiring[DelightedSettings]) -> list[Finding]:
    """Ask for the project's metrics, the cheapest request that needs a good key."""
    url = f"{wiring.settings.base_url}/metrics.json"
    setting = wiring.setting("API_KEY")
    try:
        reply = await wiring.http.request("GET", url, operation="check", headers=authorized(wiring.settings))
        expect_ok(reply, location="/metrics.json", setting=setting, now=wiring.clock.now)
    except VendorError as error:
        return [Finding(subject=wiring.name, is_good=False, text=str(error))]
    return [
        Finding(subject=wiring.name, is_good=True, text=f"{setting} is good"),
        Finding(
            subject=wiring.name,
            is_good=None,
            text="whether Delighted sends its webhooks here shows only when the first one arrives",
        ),
    ]
