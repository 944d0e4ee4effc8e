"""What Segment and the vendors were told in a world, in the order in which it came."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from end_to_end.harness import Call, name_of
from npsbridge.sandbox import SegmentServer
from npsbridge.sandbox.request_log import RecordedRequest


def batches(segment: SegmentServer) -> Iterator[tuple[RecordedRequest, list[Call]]]:
    """Every request that Segment has read, whatever became of it."""
    for request in segment.requests:
        if request.path == "/v1/batch" and isinstance(request.body, dict):
            yield request, request.body["batch"]


@dataclass
class Told:
    """What Segment has taken, each message once, where it came first.

    Attributes:
        tracks: Tracks by vendor and response.
        identifies: By email, or None.
    """

    calls: list[Call] = field(default_factory=list)
    tracks: dict[tuple[str, str], list[Call]] = field(default_factory=dict)
    identifies: dict[str | None, list[Call]] = field(default_factory=dict)

    def submissions(self, vendor: str, number: str) -> list[Call]:
        """The `Submit Survey` calls of a response, in order."""
        return [call for call in self.tracks.get((vendor, number), []) if call["event"] == "Submit Survey"]


def told(calls: Iterable[Call]) -> Told:
    """Put what was taken in order."""
    found = Told()
    for call in calls:
        found.calls.append(call)
        if call["type"] == "identify":
            email = call["context"].get("traits", {}).get("email")
            found.identifies.setdefault(email, []).append(call)
        else:
            properties = call["properties"]
            found.tracks.setdefault((properties["connection"], properties["response_id"]), []).append(call)
    return found


def meaning(call: Call) -> str:
    """What must be the same under one messageId."""
    return json.dumps(call, sort_keys=True)


def subject(call: Call) -> tuple[Any, ...] | None:
    """Kind, response and revision of a track; None for an identify, which does not say."""
    if call["type"] == "identify":
        return None
    properties = call["properties"]
    return name_of(call), properties["connection"], properties["response_id"], properties["revision"]
