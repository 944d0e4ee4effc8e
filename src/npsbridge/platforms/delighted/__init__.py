"""Delighted (delighted.com): people and survey requests out; survey responses in, by polling and by signed webhooks.

Facts from Delighted's API documentation (delighted.com/docs/api) and its official clients. The service closed on
2026-06-30; this file also speaks to anything that offers the same API. It must not know the store or other platforms.
"""

from npsbridge.platforms.base import Platform
from npsbridge.platforms.delighted.archive import compose
from npsbridge.platforms.delighted.check import check
from npsbridge.platforms.delighted.destination import DelightedDestination
from npsbridge.platforms.delighted.guide import GUIDE
from npsbridge.platforms.delighted.parse import parse
from npsbridge.platforms.delighted.receiver import DelightedReceiver
from npsbridge.platforms.delighted.settings import DelightedSettings
from npsbridge.platforms.delighted.source import DelightedSource

platform = Platform(
    name="delighted",
    settings=DelightedSettings,
    parse=parse,
    source=DelightedSource,
    receiver=DelightedReceiver,
    forwarder=DelightedDestination,
    compose=compose,
    requests_per_minute=lambda settings: settings.rate_limit,
    check=check,
    guide=GUIDE,
)
