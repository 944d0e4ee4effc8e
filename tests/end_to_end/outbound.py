"""The outbound half as a whole: calls come in as SDKs and Segment's webhook send them, four vendors are asked.

In a test marked with `looptime` all of it is in virtual time. At the end of every daemon the ledger balances.
"""

import hashlib
import hmac
import io
import itertools
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from end_to_end.harness import Line, Passing, at_rest, log_kept, time_passing, until, usual_line
from npsbridge.app import App
from npsbridge.core.model import Delivery, State
from npsbridge.sandbox import DelightedServer, SegmentServer
from npsbridge.sandbox.account_server import SurveyLookAlike
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.retently import RetentlyServer
from npsbridge.sandbox.satismeter import SatisMeterServer

Message = dict[str, Any]
"""A call of Segment's tracking API, as it is sent."""
Server = SurveyLookAlike[Any, Any, Any]

WRITE_KEY: Final = "key-of-the-web-shop"
SECRET: Final = "shared-secret"
CAMPAIGN: Final = 78
"""Promoter.io's, known to its look-alike."""

PURCHASE: Final = "Purchased Product"
"""Triggers a survey at Delighted."""
ACTIVATION: Final = "Subscription Activate Button Clicked"
"""Triggers a survey at Retently."""
REPORT: Final = "Report Finished"
"""Is passed on to SatisMeter."""
INVITATION: Final = "Friend Invited"
"""Triggers a survey at Promoter.io."""

HOUR, DAY = 3600.0, 86400.0
"""Seconds."""


class Asked(NamedTuple):
    """One request in which a vendor was asked to do something."""

    target: str
    """Path and query."""
    body: Any


class Answered(NamedTuple):
    """What a sender of calls was told."""

    status: int
    body: Any


def asked(server: Server) -> list[Asked]:
    """What a vendor was asked to do, in order, whatever it answered; what only reads is left out."""
    return [Asked(request.target, request.body) for request in server.requests if request.method == "POST"]


def bodies(server: Server) -> list[Any]:
    """The contents of these requests."""
    return [one.body for one in asked(server)]


def surveys(server: DelightedServer) -> list[Any]:
    """The requests for a survey at Delighted, which asks for people and surveys on one path."""
    return [body for body in bodies(server) if body.get("send")]


@dataclass(kw_only=True)
class Outbound(Line):
    """Four vendors and Segment, and calls for the daemon between them. Made by `outbound`."""

    delighted: DelightedServer
    retently: RetentlyServer
    satismeter: SatisMeterServer
    promoter: PromoterServer
    time: Passing
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def vendors(self) -> dict[str, Server]:
        """All four, by the names of their connections."""
        return {one.kind: one for one in (self.delighted, self.retently, self.satismeter, self.promoter)}

    # --- calls ----------------------------------------------------------------------------------------------------

    def call(self, kind: str, **members: Any) -> Message:
        """A call with a messageId of its own."""
        return {"type": kind, "messageId": f"m-{next(self.numbers)}", **members}

    def identify(self, user_id: str | None, /, *, anonymous_id: str | None = None, **traits: Any) -> Message:
        """Somebody is described."""
        return self.call("identify", **_ids(user_id, anonymous_id), traits=traits)

    def track(
        self, user_id: str | None, event: str, /, *, anonymous_id: str | None = None, **properties: Any
    ) -> Message:
        """Somebody does something."""
        return self.call("track", **_ids(user_id, anonymous_id), event=event, properties=properties)

    async def send(self, app: App, *calls: Any) -> Answered:
        """Calls in one batch, as an SDK sends them."""
        return await self.post(app, "/v1/batch", json.dumps({"writeKey": WRITE_KEY, "batch": calls}).encode())

    async def tell(self, app: App, *calls: Message) -> None:
        """Calls in one batch, and all that follows from them."""
        answer = await self.send(app, *calls)
        assert answer == Answered(200, {"success": True})
        await until(lambda: at_rest(app), within=HOUR)

    async def webhook(self, app: App, content: Message | list[Message], *, secret: str = SECRET) -> Answered:
        """A call, or a list of them, as Segment's Webhooks destination sends and signs them."""
        body = json.dumps(content).encode()
        signed = json.dumps(content[0]).encode() if isinstance(content, list) else body
        signature = hmac.new(secret.encode(), signed, hashlib.sha1).hexdigest()
        return await self.post(app, "/hooks/segment", body, {"X-Signature": signature})

    async def post(self, app: App, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answered:
        """A request to the public listener, with exactly these bytes."""
        sent = {"Content-Type": "application/json", **(headers or {})}
        url = f"http://{app.public}{path}"
        async with aiohttp.ClientSession() as session, session.post(url, data=io.BytesIO(body), headers=sent) as answer:
            return Answered(answer.status, await answer.json())

    # --- what became of them --------------------------------------------------------------------------------------

    async def rests(self, app: App, *, within: float = HOUR) -> None:
        """Wait until nothing is to be decided or sent any more."""
        await until(lambda: at_rest(app), within=within, look_every=1.0)

    async def passes(self, seconds: float) -> None:
        """Let so much time pass."""
        ends_at = self.time.now() + seconds
        await until(lambda: self.time.now() >= ends_at, within=seconds + HOUR, look_every=min(seconds, 600.0))

    async def listed(self, app: App, state: State, connection: str | None = None) -> list[Delivery]:
        """What `npsbridge outbox list --state` shows, oldest first."""
        return (await app.store.deliveries(state=state, connection=connection))[::-1]


def _ids(user_id: str | None, anonymous_id: str | None) -> dict[str, str]:
    given = {"userId": user_id, "anonymousId": anonymous_id}
    return {name: value for name, value in given.items() if value is not None}


@asynccontextmanager
async def outbound(folder: Path, **environment: str) -> AsyncIterator[Outbound]:
    """All ends; nothing is read from the vendors unless a test asks for it.

    Args:
        folder: where stores go.
        environment: settings for every daemon of this world, such as `DELIGHTED__PULL="true"`.
    """
    async with AsyncExitStack() as open_ends:
        time = await open_ends.enter_async_context(time_passing())
        made = Outbound(
            delighted=await open_ends.enter_async_context(DelightedServer(now=time.now)),
            retently=await open_ends.enter_async_context(RetentlyServer(now=time.now)),
            satismeter=await open_ends.enter_async_context(SatisMeterServer(now=time.now)),
            promoter=await open_ends.enter_async_context(PromoterServer(now=time.now)),
            segment=await open_ends.enter_async_context(SegmentServer(now=time.now)),
            time=time,
            folder=folder,
            clock=time.clock,
            told=[],
            standing_still=time.standing_still,
        )
        made.retently.change_switches({"rate_limit": None})
        made.environment = {**_usual(made), **environment}
        with log_kept() as made.told:
            yield made
        made.check_calls()


def _usual(made: Outbound) -> dict[str, str]:
    own = {"RATE_LIMIT": "0", "PULL": "false"}
    accounts = [server.environment("") | own for server in made.vendors.values()]
    connections = dict(zip(made.vendors, accounts, strict=True))
    campaigns = {made.retently.account.default_campaign: f"{ACTIVATION}, Dashboard Visited"}
    return {
        **usual_line(made.segment, made.folder),
        **{f"{name.upper()}__{key}": value for name, account in connections.items() for key, value in account.items()},
        "INGEST__WRITE_KEYS": json.dumps([WRITE_KEY]),
        "INGEST__WEBHOOK_SECRET": SECRET,
        "DELIGHTED__SURVEYS": json.dumps([PURCHASE]),
        "RETENTLY__CAMPAIGNS": json.dumps(campaigns),
        "SATISMETER__EVENTS": json.dumps([REPORT]),
        "PROMOTER__SURVEYS": json.dumps([INVITATION]),
        "PROMOTER__CAMPAIGN_ID": str(CAMPAIGN),
    }
