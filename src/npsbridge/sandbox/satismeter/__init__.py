"""The look-alike of SatisMeter: a project in memory with the vendor's three generations of API and its webhooks."""

from npsbridge.sandbox.satismeter.project import PastAnswer, Project
from npsbridge.sandbox.satismeter.records import SurveyResponse, User
from npsbridge.sandbox.satismeter.server import SANDBOX_KEY, SANDBOX_PROJECT, SANDBOX_WRITE_KEY, SatisMeterServer
from npsbridge.sandbox.satismeter.switches import SatisMeterSwitches

__all__ = [
    "SANDBOX_KEY",
    "SANDBOX_PROJECT",
    "SANDBOX_WRITE_KEY",
    "PastAnswer",
    "Project",
    "SatisMeterServer",
    "SatisMeterSwitches",
    "SurveyResponse",
    "User",
]
