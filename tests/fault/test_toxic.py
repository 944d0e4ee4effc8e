"""Connections that break at every byte of an exchange, drip, stall and hang: nobody is surveyed twice, nothing lost.

Senders are driven directly, over real sockets: what an outcome must be depends on what the vendor has done by then.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Any, Final

import pytest
from yarl import URL

from end_to_end.outbound import SECRET, WRITE_KEY
from fault.simulation.places import VENDORS, trigger
from fault.toxic import Proxy, Toxic, Wire, everywhere
from npsbridge.app.parts import assemble
from npsbridge.clock import Clock
from npsbridge.core.calls import Call, CallType
from npsbridge.core.forward import SURVEY
from npsbridge.core.model import Delivery, PlannedDelivery, State
from npsbridge.core.outcome import Delivered, Outcome, RetryLater, Unknown
from npsbridge.core.people import Person
from npsbridge.core.ports import Sender
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.platforms import settings_classes
from npsbridge.sandbox import SegmentServer
from npsbridge.settings import Settings, load

STEP: Final = 7
ANA: Final = Person(key="person:1", user_id="u1", email="u1@example.org", traits={"step": STEP}, is_identified=True)


@dataclass(kw_only=True)
class Exchange:
    """A server behind a proxy, and what is sent to it."""

    server: Any
    proxy: Proxy
    environment: InitVar[dict[str, str]]
    name: str
    settings: Settings = field(init=False)

    def __post_init__(self, environment: dict[str, str]) -> None:
        environ = {f"NPSBRIDGE_{key}": value for key, value in environment.items()}
        self.settings = load(settings_classes(), environ=environ)

    async def deliver(self, delivery: Delivery | None = None) -> Outcome:
        """Send once, over a connection of its own."""
        async with open_session() as session:
            parts = assemble(self.settings, session, Metrics(), Clock())
            sender: Sender = next(one for one in [*parts.forwarders, *parts.sinks] if one.connection == self.name)
            (outcome,) = await sender.deliver([delivery or survey(sender)])
            return outcome

    def size(self) -> tuple[int, int]:
        """Bytes of the last request, and of its answer."""
        return self.proxy.passages[-1].requested, self.proxy.passages[-1].answered


def survey(forwarder: Any) -> Delivery:
    """A request for a survey, as the vendor's own rules plan it."""
    event = trigger(forwarder.connection, STEP)
    call = Call(
        type=CallType.TRACK,
        message_id="step-7",
        user_id="u1",
        email=ANA.email,
        event=event,
        properties={"email": ANA.email, "step": STEP},
        timestamp=datetime.fromisoformat("2026-04-01T00:00:00Z"),
    )
    planned = [one for one in forwarder.plan_call(call, ANA) if one.kind == SURVEY]
    return owed(planned[0])


def owed(planned: PlannedDelivery) -> Delivery:
    """What a store makes of it."""
    return Delivery(
        id=1,
        connection=planned.connection,
        person=planned.person,
        kind=planned.kind,
        message_id=planned.message_id,
        body=planned.body,
        state=State.QUEUED,
        created_at=Clock().now_ms(),
    )


def rerouted(environment: dict[str, str], proxy: Proxy) -> dict[str, str]:
    """The same settings, with the proxy in the place of the server."""
    return {
        name: str(URL(value).with_port(proxy.port)) if name.endswith("BASE_URL") else value
        for name, value in environment.items()
    }


@asynccontextmanager
async def vendor(name: str) -> AsyncIterator[Exchange]:
    """A survey platform behind a proxy."""
    account = VENDORS[name](Clock().now_ms)
    server: Any = account.server
    server.now = lambda: Clock().now_ms() / 1000
    async with AsyncExitStack() as open_ends:
        await open_ends.enter_async_context(server)
        server.account.now = server.now
        proxy = await open_ends.enter_async_context(Proxy(server.port))
        own = {f"{name.upper()}__{key}": value for key, value in account.settings().items()}
        yield Exchange(
            server=server,
            proxy=proxy,
            name=name,
            environment=rerouted(
                {**own, **_triggers(name, server), "INGEST__WRITE_KEYS": json.dumps([WRITE_KEY])}, proxy
            ),
        )


def _triggers(name: str, server: Any) -> dict[str, str]:
    events = [trigger(name, STEP)]
    shown = {"delighted": "SURVEYS", "retently": "CAMPAIGNS", "satismeter": "EVENTS", "promoter": "SURVEYS"}
    value: Any = {server.account.default_campaign: events} if name == "retently" else events
    return {f"{name.upper()}__{shown[name]}": json.dumps(value), "INGEST__WEBHOOK_SECRET": SECRET}


def asked(exchange: Exchange) -> int:
    """How many surveys the vendor was made to send, whatever it answered."""
    server = exchange.server
    match exchange.name:
        case "retently":
            return len(server.account.requests)
        case "satismeter":
            return len(server.project.tracks)
        case _:
            return len(server.survey_requests)


@pytest.mark.parametrize("name", sorted(VENDORS))
async def test_i8_f20_a_reset_at_any_byte_of_a_survey_request_leaves_no_doubt_unseen(name: str) -> None:
    """What was done is never taken for undone, which would be asked for again."""
    outcomes: set[type[Outcome]] = set()
    async with vendor(name) as exchange:
        assert type(await exchange.deliver()) is not Unknown
        for toxic in everywhere(*exchange.size()):
            before, exchange.proxy.toxic = asked(exchange), toxic
            outcome = await exchange.deliver()
            outcomes.add(type(outcome))
            was_asked = asked(exchange) - before
            assert was_asked <= 1, toxic
            assert not (was_asked and isinstance(outcome, RetryLater)), (toxic, outcome)
            assert was_asked or not isinstance(outcome, Delivered), (toxic, outcome)
    assert Unknown in outcomes


@pytest.mark.looptime
@pytest.mark.parametrize("name", sorted(VENDORS))
async def test_i8_f19_a_survey_whose_answer_never_ends_is_in_doubt(name: str) -> None:
    async with vendor(name) as exchange:
        exchange.proxy.toxic = Toxic(response=Wire(stall_after=1))
        assert isinstance(await exchange.deliver(), Unknown)
        assert asked(exchange) == 1


@asynccontextmanager
async def segment() -> AsyncIterator[Exchange]:
    """Segment behind a proxy."""
    async with SegmentServer() as server, Proxy(server.port) as proxy:
        environment = {"SEGMENT__WRITE_KEY": server.write_keys[0], "SEGMENT__BASE_URL": server.base_url}
        yield Exchange(server=server, proxy=proxy, name="segment", environment=rerouted(environment, proxy))


def event() -> Delivery:
    """One call for Segment."""
    said = {"type": "track", "userId": "u1", "event": "Submit Survey", "messageId": "m-1", "properties": {"score": 9}}
    planned = PlannedDelivery(
        connection="segment", person="user:u1", kind="submit", message_id="m-1", body=json.dumps(said).encode()
    )
    return owed(planned)


async def test_i1_i12_f20_a_reset_at_any_byte_of_a_delivery_to_segment_is_repeated_under_one_message_id() -> None:
    async with segment() as exchange:
        assert await exchange.deliver(event()) == Delivered()
        for toxic in everywhere(*exchange.size()):
            exchange.server.forget()
            exchange.proxy.toxic = toxic
            first = await exchange.deliver(event())
            assert isinstance(first, RetryLater | Delivered), (toxic, first)
            assert exchange.server.counts.total() or not isinstance(first, Delivered), toxic
            exchange.proxy.toxic = Toxic()
            assert await exchange.deliver(event()) == Delivered()
            assert exchange.server.message_ids == {"m-1"}
            assert exchange.server.counts.total() == 1


@pytest.mark.looptime
@pytest.mark.parametrize(
    "toxic",
    [
        Toxic(response=Wire(stall_after=1)),
        Toxic(request=Wire(stall_after=100)),
        Toxic(response=Wire(rate=1.0, slices=1)),
        Toxic(request=Wire(latency=120.0)),
    ],
    ids=["half open", "request stalls", "one byte a second", "late"],
)
async def test_f19_a_connection_that_stalls_or_drips_ends_within_the_time_out(toxic: Toxic) -> None:
    async with segment() as exchange:
        exchange.proxy.toxic = toxic
        clock = Clock()
        begun = clock.monotonic()
        assert isinstance(await exchange.deliver(event()), RetryLater)
        assert clock.monotonic() - begun <= 61


@pytest.mark.looptime
@pytest.mark.parametrize(
    "toxic",
    [
        Toxic(request=Wire(slices=1), response=Wire(slices=1)),
        Toxic(request=Wire(latency=5.0), response=Wire(latency=5.0)),
        Toxic(response=Wire(rate=20.0, slices=1)),
    ],
    ids=["sliced", "slow", "narrow"],
)
async def test_f19_what_is_slow_but_comes_in_time_is_taken(toxic: Toxic) -> None:
    async with segment() as exchange:
        exchange.proxy.toxic = toxic
        assert await exchange.deliver(event()) == Delivered()


@pytest.mark.parametrize("number", [1, 20, 150])
async def test_f20_an_answer_that_ends_too_early_in_good_order_is_no_answer(number: int) -> None:
    async with segment() as exchange:
        exchange.proxy.toxic = Toxic(response=Wire(close_after=number))
        assert isinstance(await exchange.deliver(event()), RetryLater)
