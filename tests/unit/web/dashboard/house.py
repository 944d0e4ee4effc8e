"""A dashboard over a real store in which something of everything has happened; the browser's tests use it as well."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import aiohttp

from contract.store.examples import NOON, START, owe, planned, remembered, route, settle, shelved
from npsbridge.clock import Clock
from npsbridge.core.leases import Fleet, Holding, Leases, Replica
from npsbridge.core.model import Campaign, State
from npsbridge.core.pace import RateWindow
from npsbridge.core.people import IdKind, PeopleChange, Person, PersonId
from npsbridge.core.storage import Store
from npsbridge.engine.board import Board, Condition, Direction
from npsbridge.engine.seams import Seams
from npsbridge.metrics import Metrics
from npsbridge.store import open_store
from npsbridge.store.alone import Alone
from npsbridge.web.access import OPEN, Access
from npsbridge.web.admin import admin_app
from npsbridge.web.view import View
from unit.web.serving import served

PLATFORMS = {
    "delighted": "delighted",
    "retently": "retently",
    "promoter": "promoter",
    "satismeter": "satismeter",
    "segment": "segment",
}
KEY_REFUSED = "HTTP 401: the key is refused, set NPSBRIDGE_RETENTLY__API_KEY"
SCRIPT = "<script>document.title = 'owned'</script><img src=x onerror=alert(1)>"
ARABIC = "\u0627\u0644\u062e\u062f\u0645\u0629 \u0628\u0637\u064a\u0626\u0629"
HIDDEN = "a\u202egnp.exe\u200b"
UNHAPPIEST = "Nobody ever answered. Never again."
ANN = "ann@example.com"


@dataclass
class House:
    """A dashboard that is served."""

    view: View
    store: Store
    board: Board
    origin: str
    woken: list[str]
    """One entry for each time the loops were woken."""
    held: int = 0
    """The number of the delivery that is in doubt."""
    dead: int = 0
    queued: int = 0

    async def state(self, number: int) -> State | None:
        """The state of a delivery."""
        found = await self.store.delivery(number)
        return found.state if found else None

    @asynccontextmanager
    async def visitor(self) -> AsyncIterator[aiohttp.ClientSession]:
        """A browser without a screen."""
        async with aiohttp.ClientSession(self.origin, headers={"Accept": "text/html"}) as session:
            yield session


class Shared(Alone):
    """Leases of a store that three replicas share, of which one runs with other settings than the others."""

    is_shared = True

    async def fleet(self, *, seconds: float) -> Fleet:
        del seconds
        works = ("poll delighted", "poll retently", "purge", "router", "forward segment")
        replicas = tuple(
            Replica(
                id=f"npsbridge-{name}-7d9c6b54-x2x1{name}-5f3a0c1{name}",
                host=f"npsbridge-{name}",
                version="0.1.0",
                settings=settings,
                works=works,
                started_at=START - 7_200_000,
                heard_at=START - 1_000,
            )
            for name, settings in (("a", "5f3a0c11"), ("b", "5f3a0c11"), ("c", "0badcafe"))
        )
        holders = (replicas[0].id, replicas[1].id, None, replicas[0].id, replicas[1].id)
        held = tuple(Holding(name=work, holder=holder, fence=1) for work, holder in zip(works, holders, strict=True))
        return Fleet(now=START, replicas=replicas, holdings=held)

    async def booked(self) -> dict[str, int]:
        return {"delighted": 12}


class _Beside:
    """A store with leases of another."""

    def __init__(self, store: Store, leases: Leases) -> None:
        self._store = store
        self.leases = leases

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@asynccontextmanager
async def open_house(
    folder: Path, *, access: Access = OPEN, is_furnished: bool = True, is_shared: bool = False
) -> AsyncIterator[House]:
    """A dashboard on a free port, over a store in a folder; a shared one is shown by one of three replicas."""
    clock = Clock(NOON.timestamp)
    woken: list[str] = []
    async with open_store(f"sqlite:///{folder}/npsbridge.db", clock=clock) as opened:
        leases = Shared(clock) if is_shared else None
        store = cast("Store", _Beside(opened, leases)) if leases is not None else opened
        board = Board(store, clock)
        seams = Seams(store=store, board=board, clock=clock, metrics=Metrics(), jitter=lambda: 0.5)
        window = RateWindow(60, 60.0)
        view = View(
            seams=seams,
            sinks=["segment"],
            is_draining=lambda: False,
            access=access,
            platforms=PLATFORMS if is_furnished else {},
            windows={"delighted": window},
            replica=(await leases.fleet(seconds=0)).replicas[0].id if leases is not None else None,
            wake=lambda: woken.append("all"),
        )
        async with served(admin_app(view)) as listener:
            house = House(view=view, store=store, board=board, origin=f"http://{listener}", woken=woken)
            if is_furnished:
                window.reserve(clock.monotonic(), 12)
                await furnish(house)
            yield house


async def furnish(house: House) -> None:
    """Let something of everything have happened."""
    await keep_answers(house.store, _answers())
    await _tell_people(house.store)
    numbers = await owe(
        house.store,
        *(planned(f"m-{number}", f"p{number}", subject=f"delighted/{number}") for number in range(1, 71)),
    )
    await settle(house.store, numbers[:60])
    (house.held,) = await owe(
        house.store, planned("call-1:survey", "person:1", "satismeter", kind="survey", body=b'{"email":"<b>"}')
    )
    await settle(house.store, [house.held], State.HELD, reason="the connection broke: Connection reset by peer")
    house.dead, house.queued = numbers[60], numbers[61]
    await settle(house.store, [house.dead], State.DEAD, reason="HTTP 400: no such event")
    await route(house.store, shelved=(shelved("k1", "retently"),))
    await _note_board(house.board)


async def keep_answers(store: Store, answers: list[dict[str, Any]]) -> None:
    """Have answers in the store, numbered from 1 where they do not say how."""
    kept = [remembered(fields.pop("number", str(number)), **fields) for number, fields in enumerate(answers, 1)]
    await route(store, count=len(kept), responses=tuple(kept), filtered=len(kept))


def _answers() -> list[dict[str, Any]]:
    many: list[dict[str, Any]] = [
        {
            "score": (10, 9, 8, 7, 3, 10, 6)[day % 7],
            "created_at": NOON - timedelta(days=day, minutes=5),
            "connection": ("delighted", "retently")[day % 2],
            "platform": ("delighted", "retently")[day % 2],
            "campaign": Campaign(id="c-1", name="After the order"),
            "comment": "Quick and friendly." if day % 3 == 0 else None,
        }
        for day in range(1, 121)
    ]
    strange: list[dict[str, Any]] = [
        {"score": 0, "comment": UNHAPPIEST, "created_at": NOON - timedelta(days=20), "email": ANN, "number": "worst",
         "permalink": "https://delighted.com/r/worst"},
        {"score": 0, "comment": "Older than a month.", "created_at": NOON - timedelta(days=40), "number": "old"},
        {"score": 9, "comment": SCRIPT, "number": "script", "permalink": "javascript:alert(1)"},
        {"score": 2, "comment": ARABIC, "number": "arabic", "created_at": NOON - timedelta(minutes=1)},
        {"score": 5, "comment": HIDDEN, "number": "hidden", "created_at": NOON - timedelta(minutes=2)},
        {"score": 1, "comment": "long " * 20_480, "number": "long", "created_at": NOON - timedelta(minutes=3)},
        {"score": 4, "survey_type": "csat", "number": "csat"},
    ]  # fmt: skip
    return [*strange, *many]


async def _tell_people(store: Store) -> None:
    ann = Person(
        key="person:1",
        user_id="u-1",
        anonymous_ids=("anon-1",),
        email=ANN,
        traits={"name": "Ann <i>Example</i>", "plan": "team"},
        is_identified=True,
    )
    owners = {
        PersonId(IdKind.USER, "u-1"): ann.key,
        PersonId(IdKind.ANONYMOUS, "anon-1"): ann.key,
        PersonId(IdKind.EMAIL, ANN): ann.key,
    }
    change = PeopleChange(persons=(ann,), owners=owners, next_number=2)
    told = planned("call-0:identify", ann.key, "delighted", kind="identify")
    await route(store, people=change, deliveries=(told,), fanned_out=1)


async def _note_board(board: Board) -> None:
    await board.note("delighted", Direction.PULL, Condition.CONNECTED)
    board.expect("delighted", Direction.PULL, START + 40_000)
    await board.note("retently", Direction.PULL, Condition.PAUSED, reason=KEY_REFUSED)
    await board.note("promoter", Direction.PULL, Condition.RETRYING, reason="HTTP 503")
    await board.note("satismeter", Direction.PULL, Condition.BACKFILLING, progress=0.43)
    await board.note("satismeter", Direction.FORWARD, Condition.CONNECTED)
    await board.note("segment", Direction.FORWARD, Condition.CONNECTED)
