"""The look-alike of Retently: an account in memory with the vendor's REST API v2 and webhooks."""

from npsbridge.sandbox.retently.account import Account
from npsbridge.sandbox.retently.records import (
    Campaign,
    Customer,
    Feedback,
    PastFeedback,
    SentSurvey,
    SurveyRequest,
)
from npsbridge.sandbox.retently.server import REFRESH_TOKEN, SANDBOX_KEY, RetentlyServer
from npsbridge.sandbox.retently.switches import RetentlySwitches
from npsbridge.sandbox.retently.webhooks import EVERYTHING, RECOMMENDED

__all__ = [
    "EVERYTHING",
    "RECOMMENDED",
    "REFRESH_TOKEN",
    "SANDBOX_KEY",
    "Account",
    "Campaign",
    "Customer",
    "Feedback",
    "PastFeedback",
    "RetentlyServer",
    "RetentlySwitches",
    "SentSurvey",
    "SurveyRequest",
]
