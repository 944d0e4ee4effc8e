"""What a person can have done from a page: each act is asked about once, on a page of its own, and then done.

A form is only obeyed when it comes from that page (see `forgery`). What follows is decided and done by the same parts
of the engine that the command line uses; every loop is woken afterwards.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from aiohttp import web
from loguru import logger

from npsbridge.core.model import State
from npsbridge.engine import steering
from npsbridge.engine.forgetting import forget, ids_of
from npsbridge.engine.pauses import paused_in
from npsbridge.engine.pausing import steer
from npsbridge.engine.steering import DROPPABLE, RETRIED, Choice, Tally
from npsbridge.errors import UsageError
from npsbridge.web.dashboard.deliveries import Wanted, find
from npsbridge.web.dashboard.forgery import is_of_our_own
from npsbridge.web.dashboard.pages import Pages
from npsbridge.web.dashboard.words import number

_FORM_LIMIT: Final = 16 * 1024
"""Bytes; a form holds a token and a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An act, asked about."""

    act: str
    """What the token is for: everything that says what is done, and to what."""
    title: str
    text: str
    """What will be so afterwards."""
    yes: str
    """What the button says."""
    back: str
    """Where it leads to who says no."""
    is_grave: bool = False
    """It cannot be undone."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Further fields of the form."""


Done = Callable[[], Awaitable[str]]
"""Does it, and returns where to look afterwards."""
Asking = Callable[[Pages, web.Request, Mapping[str, str]], Awaitable[tuple[Question, Done]]]
"""What an address asks, and what happens when the answer is yes; from the query, or the form."""


async def ask(pages: Pages, asking: Asking, request: web.Request) -> web.Response:
    """The page that asks."""
    question, _ = await asking(pages, request, request.query)
    return await pages.page("question.html", request, question=question, token=pages.token(question.act))


async def act(pages: Pages, asking: Asking, request: web.Request) -> web.Response:
    """Do it, if it was asked for on our page, and say where to look.

    Raises:
        web.HTTPForbidden: it was not; nothing is done.
    """
    form = await _form(request)
    if not is_of_our_own(request.headers, request.host):
        raise web.HTTPForbidden(text="This was asked for by a page from elsewhere. Nothing was done.")
    question, do = await asking(pages, request, form)
    if not pages.seal.knows(form.get("token", ""), question.act, pages.now):
        raise web.HTTPForbidden(
            text="The form was not made for this, or is too old. Nothing was done; go back and ask again."
        )
    place = await do()
    logger.bind(act=request.match_info.get("act", request.path.rpartition("/")[2])).info("Done from the dashboard")
    pages.view.seams.pauses.learn(await pages.view.seams.store.facts())
    pages.view.wake()
    return web.Response(status=303, headers={"Location": place})


async def _form(request: web.Request) -> dict[str, str]:
    """The fields of a small form.

    Raises:
        web.HTTPForbidden: it is no form of ours.
    """
    is_form = request.content_type == "application/x-www-form-urlencoded"
    if not is_form or (request.content_length or 0) > _FORM_LIMIT:
        raise web.HTTPForbidden(text="This is no form of ours. Nothing was done.")
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


# --- deliveries -------------------------------------------------------------------------------------------------

_WORDS: Final = {
    "retry": (
        "Try it again?",
        "It is sent again, under the same messageId, and is tried for as long as a new one.",
        "Try it again",
    ),
    "ask-again": (
        "They were not surveyed: ask again?",
        "The survey is asked for once more. If the vendor did send it, this person is surveyed twice.",
        "They were not: ask again",
    ),
    "confirm": (
        "They were surveyed: settle it?",
        "It counts as delivered, and nothing is sent. Look at the vendor's first whether the survey is there.",
        "They were surveyed",
    ),
    "drop": (
        "Never send it?",
        "It is kept as filtered for a while, and is never sent.",
        "Drop it",
    ),
}
"""By act: title, what follows, the button."""


async def about_delivery(pages: Pages, request: web.Request, _: Mapping[str, str]) -> tuple[Question, Done]:
    """Something is to be done with one delivery.

    Raises:
        web.HTTPNotFound: there is no such delivery, or act.
        web.HTTPConflict: it is no longer in a state for that.
    """
    name, store = request.match_info["act"], pages.view.seams.store
    delivery = await find(store, request)
    allowed = {"retry": RETRIED, "ask-again": (State.HELD,), "confirm": (State.HELD,), "drop": DROPPABLE}
    if name not in allowed:
        raise web.HTTPNotFound
    place = f"/deliveries/{delivery.id}"
    if delivery.state not in allowed[name]:
        raise web.HTTPConflict(text=f"It is {delivery.state} by now, so there is nothing to do. Nothing was done.")
    title, text, yes = _WORDS[name]
    question = Question(
        act=f"{name} {delivery.id}",
        title=title,
        text=f"Delivery {delivery.id} ({delivery.kind}) to {delivery.connection}. {text}",
        yes=yes,
        back=place,
        is_grave=name == "drop",
    )

    async def do() -> str:
        tally = await _steered(pages, name, Choice(ids=(delivery.id,), states=tuple(State)))
        if not any(tally.done.values()):
            return f"{place}?said=left"
        is_gone = await store.delivery(delivery.id) is None
        return f"/deliveries?said={name}" if is_gone else f"{place}?said={name}"

    return question, do


async def about_all(pages: Pages, request: web.Request, given: Mapping[str, str]) -> tuple[Question, Done]:
    """Something is to be done with all deliveries of a state, perhaps of one connection.

    Raises:
        web.HTTPNotFound: there is no such act for that state.
    """
    name, state, connection = request.match_info["act"], given.get("state", ""), given.get("connection", "")
    states: Mapping[str, tuple[State, ...]] = {"retry": (State.DEAD,), "drop": (State.DEAD, State.HELD)}
    if state not in states.get(name, ()):
        raise web.HTTPNotFound
    depths = await pages.view.seams.store.depths()
    count = sum(number_of for (one, found), number_of in depths.items() if found == state and connection in {"", one})
    title = f"Try all {number(count)} again?" if name == "retry" else f"Drop all {number(count)}?"
    of = f" of {connection}" if connection else ""
    back = Wanted(state=state, connection=connection).address()
    question = Question(
        act=f"{name} all {state} {connection}",
        title=title,
        text=f"All deliveries that are {state}{of}. "
        + ("They are sent again." if name == "retry" else "They are never sent."),
        yes="Try them again" if name == "retry" else "Drop them",
        back=back,
        is_grave=name == "drop",
        fields={"state": state, "connection": connection},
    )

    async def do() -> str:
        choice = Choice(states=(State(state),), connection=connection or None, is_explicit=True)
        await _steered(pages, name, choice)
        return Wanted(state=state, connection=connection).address(said=name)

    return question, do


async def _steered(pages: Pages, name: str, choice: Choice) -> Tally:
    store = pages.view.seams.store
    match name:
        case "drop":
            return await steering.drop(store, choice)
        case "confirm":
            return await steering.confirm(store, choice)
        case _:
            return await steering.retry(store, choice, now=pages.now)


# --- connections ------------------------------------------------------------------------------------------------


async def about_connection(pages: Pages, request: web.Request, _: Mapping[str, str]) -> tuple[Question, Done]:
    """A connection is to rest, or to go on.

    Raises:
        web.HTTPNotFound: there is no such connection, or act.
    """
    name, doing = request.match_info["name"], request.match_info["act"]
    if name not in pages.view.platforms or doing not in {"pause", "resume"}:
        raise web.HTTPNotFound(text="There is no such connection.")
    is_paused = doing == "pause"
    store = pages.view.seams.store
    text = (
        "Nothing is read from it or sent to it until somebody resumes it. Nothing is lost."
        if is_paused
        else "It goes on where it was."
    )
    if (name in paused_in(await store.facts())) is is_paused:
        text = "It is paused already." if is_paused else "It is not paused."
    question = Question(
        act=f"{doing} {name}", title=f"{doing.capitalize()} {name}?", text=text, yes=doing.capitalize(), back="/"
    )

    async def do() -> str:
        await steer(store, name, is_paused=is_paused, now=pages.now)
        return "/"

    return question, do


# --- people -----------------------------------------------------------------------------------------------------


async def about_person(pages: Pages, _: web.Request, given: Mapping[str, str]) -> tuple[Question, Done]:
    """Somebody is to be forgotten.

    Raises:
        web.HTTPNotFound: the key is neither an email nor a userId.
    """
    key = given.get("key", "").strip()
    try:
        wanted = ids_of(key)
    except UsageError:
        raise web.HTTPNotFound(text="This is neither an email nor a userId.") from None
    question = Question(
        act=f"forget {key}",
        title="Forget this person?",
        text=f"Everything that is held here of {key} is erased, for good: ids, traits, answers, deliveries. What comes "
        "of them later is not kept, and nobody surveys them through npsbridge. Vendors are not told.",
        yes="Forget them",
        back=f"/people?{urlencode({'key': key})}",
        is_grave=True,
        fields={"key": key},
    )

    async def do() -> str:
        forgotten = await forget(pages.view.seams.store, wanted)
        held = ",".join(forgotten.connections)
        return f"/people?{urlencode({'said': 'forgotten', 'held': held})}"

    return question, do
