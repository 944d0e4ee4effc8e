"""The look-alike of Delighted: an account in memory with the vendor's REST API and webhooks."""

from npsbridge.sandbox.delighted.account import Account, PastAnswer
from npsbridge.sandbox.delighted.records import Note, Person, RequestState, SurveyRequest, SurveyResponse
from npsbridge.sandbox.delighted.server import SANDBOX_KEY, DelightedServer
from npsbridge.sandbox.delighted.switches import DelightedSwitches
from npsbridge.sandbox.delighted.webhooks import SIGNATURE_HEADER, signature

__all__ = [
    "SANDBOX_KEY",
    "SIGNATURE_HEADER",
    "Account",
    "DelightedServer",
    "DelightedSwitches",
    "Note",
    "PastAnswer",
    "Person",
    "RequestState",
    "SurveyRequest",
    "SurveyResponse",
    "signature",
]
