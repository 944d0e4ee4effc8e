"""What to do at Delighted, for `npsbridge connect`."""

from npsbridge.platforms.base import Guide

GUIDE = Guide(
    label="Delighted",
    asks={"api_key": "Settings > API: the project's private API key"},
    webhook=(
        "In the project's Integrations, add a webhook with this URL.",
        "Set no rules for it, or it tells only of some answers.",
    ),
    beware=(
        "Delighted closed on 2026-06-30. What you exported before: npsbridge import FILE --connection delighted",
        "For anything else that offers the same API, set NPSBRIDGE_DELIGHTED__BASE_URL (--set base_url=...).",
    ),
)
