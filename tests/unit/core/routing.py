"""How the tests route: a vendor's simple records, a sink, and a line that remembers like the store does."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from npsbridge.core.model import Emission, Identity, Kind, PlannedDelivery, Respondent, Response
from npsbridge.core.records import JournalEntry, Origin, Recall, RememberedResponse, Routing
from npsbridge.core.route import Plan, Reading, Rules, read, release, route
from npsbridge.errors import BadRecord

NOW = 1_767_225_600_000
SECOND = 1000
ANSWERED = NOW - 3600 * SECOND
SETTLE = Rules(settle_ms=2 * 3600 * SECOND)
ANA = "email:ana@example.org"


def parse(connection: str, record: bytes) -> Response:
    """A vendor's record: `at` and `edited` are seconds after one hour ago; `break` breaks the parser."""
    row: dict[str, Any] = json.loads(record)
    if "break" in row:
        raise KeyError(row["break"])
    if "bad" in row:
        raise BadRecord("/bad", "is bad")
    edited = row.get("edited")
    return Response(
        platform="delighted",
        connection=connection,
        id=row["id"],
        survey_type=row.get("type", "nps"),
        score=row.get("score", 9),
        comment=row.get("comment"),
        created_at=moment(row.get("at", 0)),
        updated_at=None if edited is None else moment(edited),
        person=Respondent(id="7", email=row.get("email", "ana@example.org")),
        dismissed=row.get("dismissed", False),
    )


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(ANSWERED / 1000 + seconds, UTC)


def entry(*rows: dict[str, Any], number: int = 1, origin: Origin = Origin.POLL) -> JournalEntry:
    body = json.dumps(rows).encode()
    return JournalEntry(id=number, connection="shop", origin=origin, body=body, count=len(rows), received_at=NOW)


def reading(*rows: dict[str, Any], number: int = 1, origin: Origin = Origin.POLL) -> Reading:
    return read(entry(*rows, number=number, origin=origin), parse)


def plan(emission: Emission) -> list[PlannedDelivery]:
    return [
        PlannedDelivery(
            connection="segment",
            person=emission.identity.user_id or emission.identity.anonymous_id or "",
            kind=kind,
            message_id=f"{emission.response.id}/{kind}/{emission.revision}",
            body=msgspec.json.encode(emission.response.comment),
        )
        for kind in emission.kinds
    ]


def plan_what_fits(emission: Emission) -> list[PlannedDelivery]:
    if len(emission.response.comment or "") > 20:
        raise ValueError("too large: comment (21 bytes)")
    return plan(emission)


def plan_briefly(emission: Emission) -> list[PlannedDelivery]:
    """Another sink, which can say everything."""
    submitted = [Kind.SUBMIT] if Kind.SUBMIT in emission.kinds else []
    return [msgspec.structs.replace(one, connection="heap") for one in plan(emission) if one.kind in submitted]


class Line:
    """Routes entry after entry, remembering like the store does."""

    def __init__(
        self,
        rules: Rules = Rules(),  # noqa: B008 - frozen
        *,
        identities: dict[str, Identity] | None = None,
        plans: Sequence[Plan] = (plan_what_fits,),
    ) -> None:
        self.rules = rules
        self.plans = plans
        self.identities = identities or {}
        self.responses: dict[str, RememberedResponse] = {}
        self.newest: dict[str, int] = {}
        self.erased = frozenset[str]()
        self.now = NOW

    def routes(self, *readings: Reading) -> list[Routing]:
        routings = route(readings, self._recall(), rules=self.rules, plans=self.plans, now=self.now)
        return [self._keep(routing) for routing in routings]

    def route(self, *rows: dict[str, Any], origin: Origin = Origin.POLL) -> Routing:
        return self.routes(reading(*rows, origin=origin))[0]

    def release(self) -> Routing:
        held = [one for one in self.responses.values() if one.settle_at is not None and one.settle_at <= self.now]
        return self._keep(release(held, self._recall(), rules=self.rules, plans=self.plans, now=self.now))

    def _recall(self) -> Recall:
        return Recall(
            responses=dict(self.responses),
            newest=dict(self.newest),
            identities=self.identities,
            erased=self.erased,
        )

    def _keep(self, routing: Routing) -> Routing:
        self.responses |= {one.response.id: one for one in routing.responses}
        self.newest |= routing.newest
        return routing


def said(routing: Routing) -> list[str]:
    return [delivery.message_id for delivery in routing.deliveries]


def accounted(routing: Routing) -> int:
    """How many records a routing says what became of."""
    shelved = len(routing.shelved) - routing.partly_shelved
    return routing.filtered + routing.duplicates + routing.settling + shelved + routing.fanned_out
