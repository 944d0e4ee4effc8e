"""Look-alikes of the vendors' APIs, stateful and faithful down to their faults, for demos, tests and builders.

A server is entered with `async with`; `serve_sandbox` runs all of them for other processes.
"""

from npsbridge.sandbox.account_server import SurveyLookAlike
from npsbridge.sandbox.delighted import (
    DelightedServer,
    DelightedSwitches,
    PastAnswer,
    SurveyResponse,
)
from npsbridge.sandbox.faults import (
    Answer,
    CorruptGzip,
    CutConnection,
    Drip,
    Fault,
    FaultScript,
    GzipBomb,
    Hang,
    ResetAfterReading,
    ResetBeforeReading,
    Truncated,
)
from npsbridge.sandbox.heap import HeapServer
from npsbridge.sandbox.history import HistoricAnswer, HistoricPerson, History, believable_history
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.rate import RateLimit
from npsbridge.sandbox.request_log import RecordedRequest
from npsbridge.sandbox.respondents import Respondents
from npsbridge.sandbox.retently import RetentlyServer
from npsbridge.sandbox.satismeter import SatisMeterServer
from npsbridge.sandbox.seeding import load_answers, seed
from npsbridge.sandbox.segment import DropReason, SegmentServer, SegmentSwitches
from npsbridge.sandbox.serve import FIRST_PORT, PLATFORMS, Sandbox, open_sandbox, serve_sandbox
from npsbridge.sandbox.webhooks import WebhookSwitches

__all__ = [
    "FIRST_PORT",
    "PLATFORMS",
    "Answer",
    "CorruptGzip",
    "CutConnection",
    "DelightedServer",
    "DelightedSwitches",
    "Drip",
    "DropReason",
    "Fault",
    "FaultScript",
    "GzipBomb",
    "Hang",
    "HeapServer",
    "HistoricAnswer",
    "HistoricPerson",
    "History",
    "PastAnswer",
    "PromoterServer",
    "RateLimit",
    "RecordedRequest",
    "ResetAfterReading",
    "ResetBeforeReading",
    "Respondents",
    "RetentlyServer",
    "Sandbox",
    "SatisMeterServer",
    "SegmentServer",
    "SegmentSwitches",
    "SurveyLookAlike",
    "SurveyResponse",
    "Truncated",
    "WebhookSwitches",
    "believable_history",
    "load_answers",
    "open_sandbox",
    "seed",
    "serve_sandbox",
]
