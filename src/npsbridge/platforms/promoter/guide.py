"""What to do at Promoter.io, for `npsbridge connect`."""

from npsbridge.platforms.base import Guide

GUIDE = Guide(
    label="Promoter.io",
    asks={
        "api_key": "account settings, API; your requests a minute stand beside it (RATE_LIMIT)",
        "campaign_id": "the number in the address of the campaign's page; only needed to ask for surveys",
    },
    optional=frozenset({"campaign_id"}),
    webhook=(
        "Integrations > Webhooks > Configure > Create, with this URL, once for each campaign and each of these events:",
        "`feedback.added_or_changed` (eCommerce accounts: `survey.response_added_or_changed`)",
        "`contact.unsubscribed`",
        "The form's test button shows whether it arrives.",
    ),
)
