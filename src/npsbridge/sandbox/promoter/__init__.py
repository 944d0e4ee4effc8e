"""The look-alike of Promoter.io: an account in memory with both versions of the API, and webhooks."""

from npsbridge.sandbox.promoter.account import Account, Contact, Feedback, PastFeedback, SurveyRequest
from npsbridge.sandbox.promoter.server import SANDBOX_KEY, PromoterServer
from npsbridge.sandbox.promoter.switches import PromoterSwitches

__all__ = [
    "SANDBOX_KEY",
    "Account",
    "Contact",
    "Feedback",
    "PastFeedback",
    "PromoterServer",
    "PromoterSwitches",
    "SurveyRequest",
]
