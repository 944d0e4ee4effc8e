"""Retently (retently.com): survey responses of all its metrics, which surveys were opened, and requests for surveys.

Facts from Retently's API documentation (retently.com/api), its help pages, and the public sources of clients that
others run against it. Must not know the store or other platforms.
"""

from npsbridge.platforms.base import Platform
from npsbridge.platforms.retently.archive import compose
from npsbridge.platforms.retently.check import check
from npsbridge.platforms.retently.destination import RetentlyDestination
from npsbridge.platforms.retently.guide import GUIDE
from npsbridge.platforms.retently.parse import parse
from npsbridge.platforms.retently.receiver import RetentlyReceiver
from npsbridge.platforms.retently.settings import RetentlySettings
from npsbridge.platforms.retently.source import RetentlySource

platform = Platform(
    name="retently",
    settings=RetentlySettings,
    parse=parse,
    source=RetentlySource,
    hook=RetentlyReceiver,
    compose=compose,
    forwarder=RetentlyDestination,
    requests_per_minute=lambda settings: settings.rate_limit,
    check=check,
    guide=GUIDE,
)
