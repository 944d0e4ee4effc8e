"""The look-alike of Segment's Tracking API, which can also answer as RudderStack or Jitsu would."""

from npsbridge.sandbox.segment.dialects import Drop
from npsbridge.sandbox.segment.intake import DropReason
from npsbridge.sandbox.segment.server import SANDBOX_KEY, SegmentServer
from npsbridge.sandbox.segment.switches import Mode, SegmentSwitches

__all__ = ["SANDBOX_KEY", "Drop", "DropReason", "Mode", "SegmentServer", "SegmentSwitches"]
