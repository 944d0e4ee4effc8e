"""What to do at Retently, for `npsbridge connect`."""

from npsbridge.platforms.base import Guide
from npsbridge.platforms.retently.receiver import TEMPLATE

GUIDE = Guide(
    label="Retently",
    asks={"api_key": "Settings > API > tokens"},
    webhook=(
        "In each campaign, section Export, add a webhook with this URL for `New feedback` (with or without comment).",
        f"As its body, with the placeholders of that form for each ...: {TEMPLATE}",
        'Add another for `Contact opted out`, with the body {"event":"unsubscribed","email":"..."}',
    ),
)
