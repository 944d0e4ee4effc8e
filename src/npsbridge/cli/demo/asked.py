"""What the look-alikes of the survey platforms recorded: who was described to them, and whom they were asked to survey.

Reads their request logs, each vendor's own words turned into the same ones; must not know what the shop has sent.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from npsbridge.cli.demo.shop import TRAITS
from npsbridge.cli.demo.truth import AnyAccount
from npsbridge.core.model import Record
from npsbridge.sandbox import RecordedRequest

_HOME = "segment_user_id"
"""The property by which an answer finds its way home."""


class Ask(Record, frozen=True, kw_only=True):
    """One person who was described, or whom a survey was asked for."""

    user_id: str
    is_survey: bool
    order: str | None = None
    """The number of the order that a survey is about, where the vendor takes an event's properties."""
    traits: tuple[str, ...] = ()
    """Of `TRAITS`, of somebody who is described."""
    said: bytes = b""
    """All that was said, for comparing."""


class AskedOf:
    """What one look-alike was asked and answered by itself; what a fault stopped is left out."""

    def __init__(self, account: AnyAccount) -> None:
        self._account = account
        self._taken = 0
        self._asks: list[Ask] = []
        self._requests = 0

    @property
    def platform(self) -> str:
        """Which vendor it looks like."""
        return self._account.kind

    @property
    def requests(self) -> int:
        """In how many requests."""
        self._catch_up()
        return self._requests

    @property
    def asks(self) -> Sequence[Ask]:
        """In the order asked."""
        self._catch_up()
        return self._asks

    @property
    def surveys(self) -> list[Ask]:
        """Those that ask for surveys."""
        return [ask for ask in self.asks if ask.is_survey]

    @property
    def newest(self) -> dict[str, tuple[str, ...]]:
        """By userId: how somebody was described last."""
        return {ask.user_id: ask.traits for ask in self.asks if not ask.is_survey}

    def _catch_up(self) -> None:
        log = self._account.requests
        for request in islice(log, max(0, self._taken - log.forgotten), None):
            if request.method == "POST" and request.status is None and request.fault is None:
                break  # it is being answered: those behind it come after it
            self._taken += 1
            if request.method == "POST" and request.fault is None:
                self._requests += 1
                self._asks += asks_of(self._account.kind, request)


def asks_of(platform: str, request: RecordedRequest) -> Iterator[Ask]:
    """What one request asks for."""
    body = request.body
    match platform:
        case "delighted":
            yield _at_delighted(body, request.raw)
        case "retently":
            yield from _at_retently(body)
        case "satismeter":
            yield _at_satismeter(body, request.raw)
        case "promoter":
            yield _at_promoter(body, request.raw)


def _at_delighted(body: Mapping[str, Any], raw: bytes) -> Ask:
    """One route for both; the properties of a survey are those of the person and of the event."""
    properties = body["properties"]
    if body["send"]:
        return Ask(user_id=properties[_HOME], is_survey=True, order=properties["order_id"])
    return _described(properties[_HOME], properties, raw)


def _at_retently(body: Mapping[str, Any]) -> Iterator[Ask]:
    for row in body["subscribers"]:
        properties = {item["label"]: item["value"] for item in row["properties"]}
        yield Ask(user_id=properties[_HOME], is_survey=True, order=properties["order_id"])


def _at_satismeter(body: Mapping[str, Any], raw: bytes) -> Ask:
    """Of an event it takes the name only."""
    if body.get("type") == "track":
        return Ask(user_id=body["userId"], is_survey=True)
    return _described(body["userId"], body["traits"], raw)


def _at_promoter(body: Mapping[str, Any], raw: bytes) -> Ask:
    if "contact" in body:
        return Ask(user_id=body["contact"]["attributes"][_HOME], is_survey=True, order=body["attributes"]["order_id"])
    return _described(body["attributes"][_HOME], body["attributes"], raw)


def _described(user_id: str, traits: Mapping[str, Any], raw: bytes) -> Ask:
    return Ask(user_id=user_id, is_survey=False, traits=tuple(str(traits[name]) for name in TRAITS), said=raw)


def repeated(asks: Iterable[Ask]) -> int:
    """How often somebody was described exactly as before."""
    count, last = 0, dict[str, bytes]()
    for ask in asks:
        if not ask.is_survey:
            count += last.get(ask.user_id) == ask.said
            last[ask.user_id] = ask.said
    return count
