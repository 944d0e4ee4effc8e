"""Promoter.io: feedback by polling, and by webhooks that are hints to read it back; contacts and surveys by calls.

Facts from Promoter.io's API reference (developers.promoter.io/reference), its help centre (help.promoter.io) and from
published clients, above all the Ruby gem `promoter`. It is an old API that is no longer developed, of which not all
is known; what is not known is tried out, never guessed. This folder must not know the store or other platforms.
"""

from npsbridge.platforms.base import Platform
from npsbridge.platforms.promoter.archive import compose
from npsbridge.platforms.promoter.check import check
from npsbridge.platforms.promoter.destination import PromoterDestination
from npsbridge.platforms.promoter.guide import GUIDE
from npsbridge.platforms.promoter.parse import parse
from npsbridge.platforms.promoter.receiver import PromoterReceiver
from npsbridge.platforms.promoter.settings import PromoterSettings
from npsbridge.platforms.promoter.source import PromoterSource

platform = Platform(
    name="promoter",
    settings=PromoterSettings,
    parse=parse,
    source=PromoterSource,
    hook=PromoterReceiver,
    compose=compose,
    forwarder=PromoterDestination,
    requests_per_minute=lambda settings: settings.rate_limit,
    check=check,
    guide=GUIDE,
)
