"""How the tests drive the destination: made-up calls, requests to the look-alike, all clocks in one hand."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import orjson

from npsbridge.clock import Clock
from npsbridge.core.calls import Call, CallType
from npsbridge.core.forward import IDENTIFY, SURVEY
from npsbridge.core.model import Delivery, PlannedDelivery, State
from npsbridge.core.outcome import Delivered, Outcome, Unknown
from npsbridge.core.people import Person
from npsbridge.platforms.delighted.destination import DelightedDestination
from unit.platforms.asking import Asker
from unit.platforms.delighted.driving import Bench, bench
from unit.sandbox.calling import Hands, OneClock

BOUGHT = "Order Completed"
EMAIL = "ana@example.org"


def call(kind: CallType = CallType.IDENTIFY, **said: Any) -> Call:
    given = {"message_id": "m-1", "user_id": "u_881", "timestamp": Clock(Hands()).now(), **said}
    return Call(type=kind, **given)


def track(event: str = BOUGHT, **said: Any) -> Call:
    return call(CallType.TRACK, event=event, **said)


def person(email: str | None = EMAIL, *, user_id: str | None = "u_881", **known: Any) -> Person:
    traits = {"email": email, **known.pop("traits", {})} if email else known.pop("traits", {})
    return Person(key="person:7", email=email, user_id=user_id, traits=traits, **known)


def content(planned: PlannedDelivery) -> Any:
    return orjson.loads(planned.body)


class ForwardBench:
    """A destination on a look-alike; `asked` is what the vendor was sent, `at` moves the time of both."""

    def __init__(self, shop: Bench, **settings: Any) -> None:
        self.shop = shop
        self.server = shop.server
        self.clock = OneClock(shop.ours)
        self._wiring = replace(shop.wiring(**{"surveys": [BOUGHT], **settings}), clock=self.clock)
        self._set_out: dict[int, Delivery] = {}
        """By number: each request as the store has it."""
        self._jump = 0.0
        self.restart()

    def restart(self) -> None:
        """What the system's clock shows from now on is all that is known of when requests set out before."""
        self.destination = DelightedDestination(self._wiring)
        self.asker = Asker(self.destination)
        self._jump = self.clock.error

    def delivery(self, of: Call, who: Person | None = None, *, number: int = 1) -> Delivery:
        """What the store makes of the only delivery that a call leads to, at this moment."""
        [planned] = self._planned(of, who or person())
        return Delivery(
            id=number,
            connection=planned.connection,
            person=planned.person,
            kind=planned.kind,
            message_id=planned.message_id,
            body=planned.body,
            state=State.QUEUED,
            created_at=int(self.shop.ours() * 1000),
        )

    def _planned(self, of: Call, who: Person) -> list[PlannedDelivery]:
        planned = self.destination.plan_call(of, who)
        assert isinstance(planned, list)
        return planned

    async def deliver(self, delivery: Delivery) -> Outcome:
        now = self.clock.now_ms()
        [outcome] = await self.destination.deliver([delivery])
        ended = {"state": State.DELIVERED, "settled_at": now} if outcome == Delivered() else {"state": State.INFLIGHT}
        if delivery.kind == SURVEY and isinstance(outcome, Delivered | Unknown):
            self._set_out[delivery.id] = msgspec.structs.replace(delivery, set_out_at=now, **ended)
        return outcome

    async def verify(self, delivery: Delivery) -> Outcome:
        """As the engine asks: after a request that has set out, with those beside it, dated by the clock as it is."""
        known = {delivery.id: msgspec.structs.replace(delivery, set_out_at=self.clock.now_ms())} | self._set_out
        asked = self._dated(known.pop(delivery.id))
        return await self.asker.verify(asked, [self._dated(one) for one in known.values()])

    def _dated(self, one: Delivery) -> Delivery:
        jump_ms = int((self.clock.error - self._jump) * 1000)
        names = ("created_at", "set_out_at", "settled_at")
        times = {name: at + jump_ms for name in names if (at := getattr(one, name)) is not None}
        return msgspec.structs.replace(one, **times)

    async def verify_twice(self, delivery: Delivery, *, apart: float = 61) -> Outcome:
        await self.verify(delivery)
        self.shop.forward(apart)
        return await self.verify(delivery)

    @property
    def asked(self) -> list[Any]:
        return [request.body for request in self.server.requests if request.method == "POST"]

    @property
    def surveys(self) -> list[str]:
        return [request.state.value for request in self.server.survey_requests]


@asynccontextmanager
async def forwarding(switches: dict[str, Any] | None = None, **settings: Any) -> AsyncIterator[ForwardBench]:
    async with bench(**(switches or {})) as shop:
        yield ForwardBench(shop, **settings)


MAKERS: dict[str, Callable[[], Call]] = {IDENTIFY: call, SURVEY: track}
"""A call that leads to a delivery of each kind."""
