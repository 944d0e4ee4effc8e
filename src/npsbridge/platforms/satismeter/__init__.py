"""SatisMeter (satismeter.com): survey responses by polling, and by webhooks that only hint; users and events by calls.

Facts from SatisMeter's help centre (support.satismeter.com), its API reference (app.satismeter.com/apidoc) as others
have read it (bruin-data/ingestr), and the old export as singer-io/tap-satismeter reads it. It must not know the store
or other platforms.
"""

from npsbridge.platforms.base import Platform
from npsbridge.platforms.satismeter.archive import compose
from npsbridge.platforms.satismeter.check import check
from npsbridge.platforms.satismeter.destination import SatisMeterDestination
from npsbridge.platforms.satismeter.guide import GUIDE
from npsbridge.platforms.satismeter.parse import parse
from npsbridge.platforms.satismeter.receiver import SatisMeterReceiver
from npsbridge.platforms.satismeter.settings import SatisMeterSettings
from npsbridge.platforms.satismeter.source import SatisMeterSource

platform = Platform(
    name="satismeter",
    settings=SatisMeterSettings,
    parse=parse,
    source=SatisMeterSource,
    hook=SatisMeterReceiver,
    compose=compose,
    forwarder=SatisMeterDestination,
    requests_per_minute=lambda settings: settings.rate_limit,
    check=check,
    guide=GUIDE,
)
