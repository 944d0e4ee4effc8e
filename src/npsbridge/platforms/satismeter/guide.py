"""What to do at SatisMeter, for `npsbridge connect`."""

from npsbridge.platforms.base import Guide

GUIDE = Guide(
    label="SatisMeter",
    asks={
        "api_key": "Settings > Integrations > API keys: the API key, not the write key, which looks the same",
        "project_id": "in the address of the project's pages, 24 letters and digits",
    },
    webhook=("Settings > Integrations, webhooks: paste this URL, and choose `completed` and `dismissed`.",),
    beware=(
        "Switch SatisMeter's own Segment integration off, or every answer is told twice.",
        "A key opens one project; connect each further project under a --name of its own.",
    ),
)
