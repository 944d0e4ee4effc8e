"""Look-alikes of the vendors' APIs, stateful and faithful down to their faults, for demos, tests and builders.

`DelightedServer` and `SegmentServer` are entered with `async with`; `serve_sandbox` runs them for other processes.
"""

from npsbridge.sandbox.delighted import (
    DelightedServer,
    DelightedSwitches,
    PastAnswer,
    SurveyResponse,
    WebhookSwitches,
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
from npsbridge.sandbox.history import History, believable_history, seed
from npsbridge.sandbox.rate import RateLimit
from npsbridge.sandbox.request_log import RecordedRequest
from npsbridge.sandbox.respondents import Respondents
from npsbridge.sandbox.segment import DropReason, SegmentServer, SegmentSwitches
from npsbridge.sandbox.serve import DELIGHTED_PORT, SEGMENT_PORT, Sandbox, open_sandbox, serve_sandbox

__all__ = [
    "DELIGHTED_PORT",
    "SEGMENT_PORT",
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
    "History",
    "PastAnswer",
    "RateLimit",
    "RecordedRequest",
    "ResetAfterReading",
    "ResetBeforeReading",
    "Respondents",
    "Sandbox",
    "SegmentServer",
    "SegmentSwitches",
    "SurveyResponse",
    "Truncated",
    "WebhookSwitches",
    "believable_history",
    "open_sandbox",
    "seed",
    "serve_sandbox",
]
