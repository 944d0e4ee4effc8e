"""The look-alike of Segment's Tracking API, and of two that are compatible with it, on loopback.

It keeps what a downstream of Segment would get: times corrected, duplicates left out. Forwarding to Segment's Webhooks
destination is not part of it.
"""

import base64
import binascii
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any, Unpack

import msgspec
from aiohttp import web

from npsbridge.sandbox.inspection import INSPECTION, latest, shown
from npsbridge.sandbox.rate import RateGate
from npsbridge.sandbox.request_log import RequestLog
from npsbridge.sandbox.segment.dialects import (
    CORS,
    Drop,
    check_content_type,
    check_key,
    error_answer,
    key_given,
    kind_of,
    no_such_route,
    refusal_of,
    refuses_whole,
    success_answer,
)
from npsbridge.sandbox.segment.intake import (
    DropReason,
    Envelope,
    Refused,
    cleaned,
    downstream,
    envelope_of,
    jitsu_message_id,
    project_id,
)
from npsbridge.sandbox.segment.seen import SeenMessages
from npsbridge.sandbox.segment.switches import Mode, SegmentSwitches
from npsbridge.sandbox.server import Handler, LookAlike, Place, json_answer
from npsbridge.sandbox.switches import changed

SANDBOX_KEY = "sandbox-segment-key"

_MOST_DROPS_KEPT = 20_000
_SMALL_LOG_BYTES = 4 * 2**20
_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


class SegmentServer(LookAlike):
    """A Tracking API that remembers what it accepted.

    Args:
        write_keys: The keys of the sources it knows.
        mode: Which API it looks like; a switch as well.
        switches: How it behaves; see `change_switches`.
        keep_events: False keeps only `counts` and `message_ids`, for runs with very many events.
        place: Where it listens, its clock and its dice; see `LookAlike`.

    Attributes:
        events: What was accepted, in the order of arrival, as a destination would get it.
        message_ids: The messageIds of all that was accepted.
        counts: How many were accepted, by event name for tracks and by type for the others.
        dropped: What was not handed on, and why; only the latest 20,000.
        drop_counts: How many were dropped, by reason.
    """

    kind = "segment"

    def __init__(
        self,
        *,
        write_keys: Collection[str] = (SANDBOX_KEY,),
        mode: Mode | None = None,
        switches: SegmentSwitches = SegmentSwitches(),  # noqa: B008 - a frozen record
        keep_events: bool = True,
        **place: Unpack[Place],
    ) -> None:
        super().__init__(**place)
        self.switches = switches if mode is None else msgspec.structs.replace(switches, mode=mode)
        self._projects = {key: project_id(key) for key in write_keys}
        self._keep_events = keep_events
        if not keep_events:
            self.requests = RequestLog(most_bytes=_SMALL_LOG_BYTES)
        self._rate_gate = RateGate(self.now)
        self.forget()

    @property
    def base_url(self) -> str:
        """What clients are configured with, without `/v1`."""
        return self.origin

    @property
    def write_keys(self) -> list[str]:
        """The keys it knows."""
        return list(self._projects)

    def environment(self, prefix: str = "NPSBRIDGE_SEGMENT__") -> dict[str, str]:
        """The settings that point a daemon here."""
        return {f"{prefix}WRITE_KEY": self.write_keys[0], f"{prefix}BASE_URL": self.base_url}

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Change switches by name, such as `{"mode": "rudder"}`.

        Raises:
            ValueError: A switch does not exist or cannot have that value; the text names it.
        """
        self.switches = changed(self.switches, changes)

    # --- what was received ----------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Forget all events, and every messageId that was seen."""
        self.events: list[dict[str, Any]] = []
        self.message_ids: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.dropped: deque[Drop] = deque(maxlen=_MOST_DROPS_KEPT)
        self.drop_counts: Counter[str] = Counter()
        self._seen = SeenMessages()

    def events_of(self, write_key: str) -> list[dict[str, Any]]:
        """The events that came with one write key."""
        return [event for event in self.events if event["projectId"] == self._projects.get(write_key)]

    def tracks(self, name: str) -> list[dict[str, Any]]:
        """The track events of one name."""
        return [event for event in self.events if event["type"] == "track" and event["event"] == name]

    def state(self) -> dict[str, Any]:
        """What `/__sim/state` shows."""
        return {
            "kind": "segment",
            "base_url": self.base_url,
            "now": self.now(),
            "accepted": self.counts.total(),
            "counts": dict(self.counts),
            "dropped": dict(self.drop_counts),
            "requests": len(self.requests) + self.requests.forgotten,
            "switches": msgspec.to_builtins(self.switches),
        }

    # --- requests -------------------------------------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The API, and the events' own part of `/__sim/`."""
        return [
            web.get(f"{INSPECTION}events", self._show_events),
            web.delete(f"{INSPECTION}events", self._forget_events),
            web.get(f"{INSPECTION}dropped", self._show_dropped),
            web.get("/v1/projects/{write_key}/settings", self._settings),
            web.get("/v1/pixel/{kind}", self._pixel),
            web.get("/health", self._health),
            web.options("/{path:.*}", self._preflight),
            web.post("/{path:.*}", self._take_in),
        ]

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request of the API, errors in the words of the mode."""
        try:
            return self._too_early() or await handler(request)
        except Refused as refused:
            return error_answer(self.switches.mode, refused)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            return error_answer(self.switches.mode, no_such_route(request.path))

    def _too_early(self) -> web.Response | None:
        wait = ceil(self._rate_gate.wait_for_next("workspace", self.switches.rate_limit))
        if not wait:
            return None
        body = {"code": "rate_limited", "message": "Too Many Requests"}
        headers = {**CORS, "Retry-After": str(wait), "X-RateLimit-Reset": str(wait)}
        return json_answer(body, HTTPStatus.TOO_MANY_REQUESTS, headers)

    async def _take_in(self, request: web.Request) -> web.Response:
        mode = self.switches.mode
        kind = kind_of(mode, request.path)
        if kind == "metrics":
            return success_answer(mode, 0, [])
        check_content_type(mode, request)
        envelope = envelope_of(await request.read(), kind, self.switches)
        key = key_given(mode, request, envelope.body)
        drops = self._accept(envelope, key)
        return success_answer(mode, len(envelope.items), drops)

    def _accept(self, envelope: Envelope, key: str) -> list[Drop]:
        """Keep the good events and drop the others, or raise Refused and keep nothing."""
        for_all = check_key(key, self.switches, is_known=key in self._projects)
        judged = [(item, for_all or self._judged(item, len(envelope.items))) for item in envelope.items]
        drops = [self._drop(item, verdict) for item, verdict in judged if isinstance(verdict, DropReason)]
        if drops and refuses_whole(self.switches.mode):
            self._note_drops(drops)
            raise refusal_of(drops[0])
        good = [verdict for _, verdict in judged if isinstance(verdict, dict)]
        repeated = [event for event in good if not self._hand_on(event, envelope.body, key)]
        self._note_drops([*drops, *(self._drop(event, DropReason.DUPLICATE) for event in repeated)])
        return drops

    def _hand_on(self, event: dict[str, Any], body: Mapping[str, Any], key: str) -> bool:
        """Keep an event as a destination would get it; False if it is a duplicate that was caught."""
        received_at = self.now()
        is_known = self._seen.is_known(event["messageId"], received_at, self.switches.remembers)
        if is_known and self.dice.random() >= self.switches.dedup_leak:
            return False
        self._count(event)
        if self._keep_events:
            self.events.append(downstream(event, body, received_at=received_at, project_id=self._projects[key]))
        return True

    def _judged(self, item: object, together: int) -> dict[str, Any] | DropReason:
        """The event with its final messageId, or why it is dropped."""
        switches = self.switches
        if together > switches.events_limit and switches.mode in {"segment", "strict"}:
            return DropReason.TOO_MANY
        if switches.mode == "jitsu" and switches.no_destination:
            return DropReason.NO_DESTINATION
        event = cleaned(item, switches)
        if isinstance(event, dict):
            message_id = event.get("messageId") or f"api-{self.dice.getrandbits(128):032x}"
            event["messageId"] = jitsu_message_id(message_id) if switches.mode == "jitsu" else message_id
        return event

    def _count(self, event: Mapping[str, Any]) -> None:
        self.counts[event["event"] if event["type"] == "track" else event["type"]] += 1
        self.message_ids.add(event["messageId"])

    def _drop(self, item: object, reason: DropReason) -> Drop:
        return Drop(reason=reason, at=self.now(), item=item if self._keep_events else None)

    def _note_drops(self, drops: Sequence[Drop]) -> None:
        self.dropped.extend(drops)
        self.drop_counts.update(drop.reason.value for drop in drops)

    async def _settings(self, request: web.Request) -> web.Response:
        key = request.match_info["write_key"]
        if key not in self._projects:
            body = {"code": "not_found", "message": "no such source"}
            return json_answer(body, self.switches.settings_status_for_unknown, CORS)
        return json_answer(_settings_of(key, f"{self.host}:{self.port}/v1"), headers=CORS)

    async def _pixel(self, request: web.Request) -> web.Response:
        """Take in an email-open pixel: a message in base64 in the query; always a picture."""
        try:
            raw = base64.b64decode(request.query.get("data", ""), altchars=b"-_")
            envelope = envelope_of(raw, request.match_info["kind"], self.switches)
            self._accept(envelope, key_given("segment", request, envelope.body))
        except (Refused, binascii.Error):
            self.drop_counts["unreadable_pixel"] += 1
        return web.Response(body=_PIXEL, content_type="image/gif", headers=CORS)

    async def _health(self, _: web.Request) -> web.Response:
        return json_answer({"appType": "GATEWAY", "server": "UP", "acceptingEvents": "TRUE"}, headers=CORS)

    async def _preflight(self, _: web.Request) -> web.Response:
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=CORS)

    async def _show_events(self, request: web.Request) -> web.Response:
        return shown(latest(self.events, request))

    async def _show_dropped(self, request: web.Request) -> web.Response:
        return shown(latest(list(self.dropped), request))

    async def _forget_events(self, _: web.Request) -> web.Response:
        self.forget()
        return shown(self.state())


def _settings_of(write_key: str, api_host: str) -> dict[str, Any]:
    """The least that lets the browser SDK start, and that sends it here."""
    everything = {"__default": {"enabled": True}}
    segment = {
        "apiKey": write_key,
        "apiHost": api_host,
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
    }
    return {
        "integrations": {"Segment.io": segment},
        "plan": {"track": everything, "identify": everything, "group": everything},
        "analyticsNextEnabled": True,
    }
