"""Whether the way out is true: what the shop sent beside what the look-alikes of the survey platforms recorded.

Pure, but for asking the look-alikes and the store what they hold.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from npsbridge.app import App
from npsbridge.cli.demo.asked import Ask, AskedOf, repeated
from npsbridge.cli.demo.figure import Figure, counted
from npsbridge.cli.demo.heard import Heard
from npsbridge.cli.demo.shop import Order, Shop
from npsbridge.cli.demo.stage import Stage
from npsbridge.cli.demo.titles import CONNECTED, OWED, TITLES
from npsbridge.core.model import Record, State
from npsbridge.engine.board import Direction
from npsbridge.sandbox.account_state import Asked

DESCRIBED: Final = ("delighted", "satismeter", "promoter")
"""Who is told of people by themselves; Retently hears of them with a survey only."""
_TOLD_ORDERS: Final = ("delighted", "retently", "promoter")
"""Who is told what was bought; SatisMeter takes nothing of an event but its name."""
_THROTTLED_AT: Final = ("delighted", "promoter")
"""Whose accounts survey nobody twice within days, as they are set here; SatisMeter's decides in the page."""

Depths = Mapping[tuple[str, State], int]
Trace = list[tuple[str | None, str | None]]
"""A person's orders at one platform: the number, and the number of visits that it had been told by then."""


class Way(Record, frozen=True, kw_only=True):
    """The way out to one survey platform, as the table shows it."""

    platform: str
    state: str
    """In the words of the contract."""
    requests: int
    asked: Asked
    """By the look-alike's own account."""
    expected: Asked
    """By what the shop sent."""
    twice: int
    """Surveys that were asked for more than once."""
    waiting: int
    expired: int
    held: int
    dead: int

    @property
    def title(self) -> str:
        """The vendor's name."""
        return TITLES[self.platform]

    @property
    def figures(self) -> list[Figure]:
        """What has to agree."""
        left = {"waiting": self.waiting, "expired": self.expired, "held": self.held, "dead": self.dead}
        return [
            Figure(name=f"the state of the way to {self.title}", true=CONNECTED, told=self.state),
            counted(f"people at {self.title}", self.expected.people, self.asked.people),
            counted(f"surveys asked for at {self.title}", self.expected.surveys, self.asked.surveys),
            counted(f"surveys throttled at {self.title}", self.expected.throttled, self.asked.throttled),
            *(counted(f"{word} for {self.title}", 0, number) for word, number in left.items()),
        ]


async def seen_out(stage: Stage, app: App | None) -> tuple[list[Way], list[Figure]]:
    """The table of the way out, and its figures, as they are now."""
    depths: Depths = await app.store.depths() if app else {}
    on_disk = await app.store.seen(stage.shop.message_ids) if app else set[str]()
    lines = app.board.lines() if app else []
    states = {line.connection: line.condition.value for line in lines if line.direction is Direction.FORWARD}
    ways = [
        way(stage.shop, stage.asked[account.kind], account.asked, depths, state=states.get(account.kind, "missing"))
        for account in stage.sandbox.accounts
    ]
    return ways, sent_figures(stage.shop, list(stage.asked.values()), stage.heard, on_disk=len(on_disk))


def way(shop: Shop, recorded: AskedOf, asked: Asked, depths: Depths, *, state: str) -> Way:
    """One line of the table.

    Args:
        shop: what was sent.
        recorded: what this platform's look-alike was asked, request by request.
        asked: the same by its own account.
        depths: how many deliveries the daemon's store has in which state.
        state: how the way to it is.
    """
    name = recorded.platform
    people = len(shop.traits) if name in DESCRIBED else len(shop.buyers)
    throttled = shop.throttled if name in _THROTTLED_AT else 0
    return Way(
        platform=name,
        state=state,
        requests=recorded.requests,
        asked=asked,
        expected=Asked(people=people, surveys=len(shop.due), throttled=throttled),
        twice=twice(shop, recorded),
        waiting=sum(depths.get((name, state), 0) for state in OWED),
        expired=depths.get((name, State.EXPIRED), 0),
        held=depths.get((name, State.HELD), 0),
        dead=depths.get((name, State.DEAD), 0),
    )


def sent_figures(shop: Shop, recorded: Sequence[AskedOf], heard: Heard, *, on_disk: int) -> list[Figure]:
    """All platforms together.

    Args:
        shop: what was sent.
        recorded: what each look-alike was asked.
        heard: what Segment was told.
        on_disk: how many of the shop's calls the daemon's store knows.
    """
    describing = [one for one in recorded if one.platform in DESCRIBED]
    return [
        counted("calls by SDK and webhook, on disk", len(shop.message_ids), on_disk),
        counted("people with their newest traits", len(shop.traits) * len(describing), _up_to_date(shop, describing)),
        counted("described again with nothing new", 0, sum(repeated(one.asks) for one in recorded)),
        counted("surveys: one for each order", len(shop.due) * len(recorded), _surveys_of(shop, recorded)),
        counted("surveys asked for twice", 0, sum(twice(shop, one) for one in recorded)),
        counted("buyers with their orders in order", len(shop.buyers) * len(recorded), _in_order(shop, recorded)),
        counted(
            "right behind the identify they waited for", len(shop.early) * len(describing), _behind(shop, describing)
        ),
        counted("answers under the userId that was surveyed", len(shop.answers), came_home(shop, heard)),
    ]


# --- what is compared -------------------------------------------------------------------------------------------


def is_told_all(shop: Shop, recorded: AskedOf) -> bool:
    """Whether a platform knows everything that is due by now: orders of people who are known, and newest traits."""
    is_described = recorded.platform not in DESCRIBED or _up_to_date(shop, [recorded]) == len(shop.traits)
    return is_described and not _numbers(shop.due, recorded) - _asked(recorded)


def twice(shop: Shop, recorded: AskedOf) -> int:
    """How many surveys were asked for beyond those that orders were sent for."""
    return (_asked(recorded) - _numbers(shop.orders, recorded)).total()


def came_home(shop: Shop, heard: Heard) -> int:
    """How many answers Segment knows under the userId whose order had asked for the survey."""
    said = {number: heard.responses.get(number) for number in shop.answers}
    return sum(one is not None and one.user_id == shop.answers[number] for number, one in said.items())


def _numbers(orders: Iterable[Order], recorded: AskedOf) -> Counter[tuple[str, str | None]]:
    """Orders by buyer and number, as far as a platform is told it."""
    is_told = recorded.platform in _TOLD_ORDERS
    return Counter((order.user_id, order.number if is_told else None) for order in orders)


def _asked(recorded: AskedOf) -> Counter[tuple[str, str | None]]:
    return Counter((ask.user_id, ask.order) for ask in recorded.surveys)


def _surveys_of(shop: Shop, recorded: Iterable[AskedOf]) -> int:
    return sum((_numbers(shop.due, one) & _asked(one)).total() for one in recorded)


def _up_to_date(shop: Shop, recorded: Iterable[AskedOf]) -> int:
    told = {user_id: (str(traits["plan"]), str(traits["visits"])) for user_id, traits in shop.traits.items()}
    return sum(
        newest.get(user_id) == now for newest in (one.newest for one in recorded) for user_id, now in told.items()
    )


def _in_order(shop: Shop, recorded: Iterable[AskedOf]) -> int:
    return sum(
        of_asks(user_id, one.asks) == _of_orders(user_id, shop.due, one) for one in recorded for user_id in shop.buyers
    )


def of_asks(user_id: str, asks: Iterable[Ask]) -> Trace:
    """Somebody's orders in the order asked, each with the visits that they had been described with by then."""
    trace, visits = Trace(), None
    for ask in asks:
        if ask.user_id == user_id and ask.is_survey:
            trace.append((ask.order, visits))
        elif ask.user_id == user_id:
            visits = ask.traits[1]
    return trace


def _of_orders(user_id: str, orders: Iterable[Order], recorded: AskedOf) -> Trace:
    """The same as the shop told it, as far as a platform is told it."""
    has_number, has_visits = recorded.platform in _TOLD_ORDERS, recorded.platform in DESCRIBED
    own = (order for order in orders if order.user_id == user_id)
    return [(order.number if has_number else None, order.visits if has_visits else None) for order in own]


def _behind(shop: Shop, recorded: Iterable[AskedOf]) -> int:
    """Of those who bought before they were known: where the survey came behind who they are, and nobody's between."""
    return sum(_is_behind(user_id, one.asks) for one in recorded for user_id in shop.early)


def _is_behind(user_id: str, asks: Sequence[Ask]) -> bool:
    first = next((place for place, ask in enumerate(asks) if ask.is_survey and ask.user_id == user_id), 0)
    before = asks[first - 1] if first else None
    return before is not None and before.user_id == user_id and not before.is_survey
