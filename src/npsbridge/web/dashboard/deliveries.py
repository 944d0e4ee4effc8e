"""What is owed, was made, or waits for a person; and what happened to one event from arrival to delivery."""

from typing import Any, Final
from urllib.parse import urlencode

import orjson
from aiohttp import web

from npsbridge.core.model import Delivery, Record, State
from npsbridge.core.people import Person, is_key
from npsbridge.core.records import AwaitedCall, JournalEntry, RememberedResponse, Trace
from npsbridge.core.storage import Store
from npsbridge.core.views import Listed
from npsbridge.engine.steering import DROPPABLE, RETRIED
from npsbridge.web.dashboard.nps import Shown, shown_answer
from npsbridge.web.dashboard.pages import Pages, document

PAGE: Final = 50
BODY: Final = 20_000
"""Characters of a body that are shown."""
MOST_TRACED: Final = 100
"""Of each kind; more of one person would be a page that nobody reads."""
STATES: Final = {
    State.QUEUED: "ready to go",
    State.WAITING: "waits for its time",
    State.INFLIGHT: "on its way",
    State.HELD: "in doubt, you decide",
    State.DEAD: "will never work as it is",
    State.DELIVERED: "done",
    State.FILTERED: "not to be sent",
    State.DUPLICATE: "known already",
    State.EXPIRED: "too late",
    State.ERASED: "erased",
}
"""The states in the order in which they matter, in plain words."""


class Wanted(Record, frozen=True, kw_only=True):
    """What somebody narrowed the deliveries to."""

    state: str = ""
    connection: str = ""
    before: int | None = None

    @classmethod
    def read(cls, request: web.Request) -> "Wanted":
        """From an address; what makes no sense counts as not said."""
        state, before = request.query.get("state", ""), request.query.get("before", "")
        return cls(
            state=state if state in list(State) else "",
            connection=request.query.get("connection", ""),
            before=number_in(before),
        )

    def address(self, path: str = "/deliveries", **changes: Any) -> str:
        """The address of the list with some of it changed."""
        said = {"state": self.state, "connection": self.connection, **changes}
        query = urlencode({name: value for name, value in said.items() if value})
        return f"{path}?{query}" if query else path


class Page(Record, frozen=True, kw_only=True):
    """A page of deliveries."""

    deliveries: list[Listed]
    next_before: int | None
    """Where the next page begins; None when there is none."""


def number_in(text: str) -> int | None:
    """The number of a delivery, or None when it is none."""
    is_number = text.isascii() and text.isdigit() and len(text) < 19  # noqa: PLR2004 - digits of 2**63
    return int(text) if is_number else None


async def look(store: Store, wanted: Wanted) -> Page:
    """The deliveries that are meant."""
    state = State(wanted.state) if wanted.state else None
    found = await store.views.deliveries(
        state=state, connection=wanted.connection or None, before=wanted.before, limit=PAGE + 1
    )
    shown = found[:PAGE]
    return Page(deliveries=shown, next_before=shown[-1].id if len(found) > PAGE else None)


class Traced(Record, frozen=True, kw_only=True):
    """What happened to one event, from arrival to delivery."""

    arrivals: list[JournalEntry]
    answers: list[Shown]
    awaited: list[AwaitedCall]
    """What waits for its person to be identified."""
    deliveries: list[Delivery]
    is_cut: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known."""
        return not (self.arrivals or self.answers or self.awaited or self.deliveries)


def traced(found: Trace) -> Traced:
    """A trace as pages show it."""
    return Traced(
        arrivals=found.entries[:MOST_TRACED],
        answers=[_answer(one) for one in found.responses[:MOST_TRACED]],
        awaited=found.awaited[:MOST_TRACED],
        deliveries=found.deliveries[:MOST_TRACED],
        is_cut=any(
            len(part) > MOST_TRACED for part in (found.entries, found.responses, found.awaited, found.deliveries)
        ),
    )


def _answer(known: RememberedResponse) -> Shown:
    return shown_answer(known, hides_comments=False)


def body_text(body: bytes) -> str:
    """What a delivery carries, for people; what is no JSON as it came."""
    try:
        text = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace")
    return text if len(text) <= BODY else f"{text[:BODY]}\n[{len(text) - BODY:,} more characters]"


# --- routes -----------------------------------------------------------------------------------------------------


async def deliveries_page(pages: Pages, request: web.Request) -> web.Response:
    """The list."""
    wanted, store = Wanted.read(request), pages.view.seams.store
    depths = await store.depths()
    counts = {state: sum(count for (_, one), count in depths.items() if one is state) for state in STATES}
    names = sorted({*pages.view.platforms, *(name for name, _ in depths)})
    return await pages.page(
        "deliveries.html",
        request,
        found=await look(store, wanted),
        wanted=wanted,
        counts=counts,
        states=STATES,
        connections=names,
        said=request.query.get("said", ""),
    )


async def deliveries_document(pages: Pages, request: web.Request) -> web.Response:
    """What stands in the list."""
    return document(await look(pages.view.seams.store, Wanted.read(request)))


async def delivery_page(pages: Pages, request: web.Request) -> web.Response:
    """One delivery with what led to it.

    Raises:
        web.HTTPNotFound: there is none with this id.
    """
    store = pages.view.seams.store
    delivery = await find(store, request)
    found = traced(await store.trace(delivery.message_id))
    return await pages.page(
        "delivery.html",
        request,
        one=delivery,
        whom=await _whom(store, delivery),
        traced=found,
        body=body_text(delivery.body),
        states=STATES,
        can_retry=delivery.state in RETRIED,
        can_drop=delivery.state in DROPPABLE,
        is_held=delivery.state is State.HELD,
        said=request.query.get("said", ""),
    )


async def _whom(store: Store, delivery: Delivery) -> Person | None:
    """Whom a survey platform is told of; what sinks are told of answers has keys of another kind."""
    if not is_key(delivery.person):
        return None
    return (await store.people([delivery.person])).get(delivery.person)


async def find(store: Store, request: web.Request) -> Delivery:
    """The delivery that an address names.

    Raises:
        web.HTTPNotFound: there is none with this id.
    """
    number = number_in(request.match_info["id"])
    delivery = None if number is None else await store.delivery(number)
    if delivery is None:
        raise web.HTTPNotFound(text="No delivery with this number is known here. It may be past its retention.")
    return delivery


async def trace_page(pages: Pages, request: web.Request) -> web.Response:
    """What happened to whatever a key names: a messageId, a response id, an email."""
    key = request.query.get("key", "").strip()
    found = traced(await pages.view.seams.store.trace(key)) if key else None
    status = 404 if found is not None and found.is_empty else 200
    return await pages.page("trace.html", request, status=status, key=key, traced=found, states=STATES)


async def trace_document(pages: Pages, request: web.Request) -> web.Response:
    """The same as JSON, without bodies.

    Raises:
        web.HTTPNotFound: nothing is known of the key.
    """
    found = traced(await pages.view.seams.store.trace(request.query.get("key", "").strip()))
    if found.is_empty:
        raise web.HTTPNotFound
    return document(
        {
            "arrivals": [
                {"id": one.id, "connection": one.connection, "origin": one.origin, "received_at": one.received_at}
                for one in found.arrivals
            ],
            "answers": found.answers,
            "awaited": [
                {"connection": one.connection, "reason": one.reason, "expires_at": one.expires_at}
                for one in found.awaited
            ],
            "deliveries": [
                {"id": one.id, "connection": one.connection, "kind": one.kind, "state": one.state, "reason": one.reason}
                for one in found.deliveries
            ],
        }
    )
