"""What is known of one person: ids, traits, surveys asked for, answers."""

from typing import Any, Final

from aiohttp import web

from npsbridge.core.keys import normalised_email
from npsbridge.core.model import Record
from npsbridge.core.people import ERASED, IdKind, Person, PersonId
from npsbridge.core.storage import Store
from npsbridge.core.views import Listed
from npsbridge.web.dashboard.deliveries import STATES
from npsbridge.web.dashboard.nps import Shown, shown_answer
from npsbridge.web.dashboard.pages import Pages, document

_ASKED: Final = 50


class Known(Record, frozen=True, kw_only=True):
    """Everything that is held of whom a key names."""

    persons: list[Person]
    asked: list[Listed]
    """What survey platforms were or are to be told, newest first."""
    answers: list[Shown]
    suppressed: list[str]
    """Why some of the ids may not be surveyed."""

    @property
    def is_erased(self) -> bool:
        """Whether somebody with such an id was erased, and is still known for that alone."""
        return ERASED in self.suppressed

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held."""
        return not (self.persons or self.answers or self.suppressed)


def ids_in(key: str) -> list[PersonId]:
    """What a key may be: an email, a userId, an anonymousId."""
    email = normalised_email(key) if "@" in key else None
    plain = [PersonId(IdKind.USER, key), PersonId(IdKind.ANONYMOUS, key)]
    return [*([PersonId(IdKind.EMAIL, email)] if email else []), *plain]


async def look(store: Store, key: str) -> Known:
    """What is held of whom a key names."""
    found = await store.recall_people(ids_in(key))
    persons = sorted(found.persons.values(), key=lambda one: one.key)
    emails = dict.fromkeys([normalised_email(key), *(one.email for one in persons)])
    answers = [one for email in emails if email for one in (await store.trace(email)).responses]
    known = {(one.response.connection, one.response.id): one for one in answers}
    newest_first = sorted(known.values(), key=lambda one: one.response.created_at, reverse=True)
    return Known(
        persons=persons,
        asked=await store.views.deliveries_of(tuple(one.key for one in persons), limit=_ASKED),
        answers=[shown_answer(one, hides_comments=False) for one in newest_first],
        suppressed=sorted(set(found.suppressed.values())),
    )


async def people_page(pages: Pages, request: web.Request) -> web.Response:
    """A field to look somebody up, and what was found."""
    key = request.query.get("key", "").strip()
    found = await look(pages.view.seams.store, key) if key else None
    status = 404 if found is not None and found.is_empty else 200
    held = set(request.query.get("held", "").split(","))
    shown: dict[str, Any] = {
        "key": key,
        "found": found,
        "states": STATES,
        "said": request.query.get("said", ""),
        "held": [name for name in pages.view.platforms if name in held],
    }
    return await pages.page("people.html", request, status=status, **shown)


async def people_document(pages: Pages, request: web.Request) -> web.Response:
    """The same as JSON.

    Raises:
        web.HTTPNotFound: nothing is held of whom the key names.
    """
    found = await look(pages.view.seams.store, request.query.get("key", "").strip())
    if found.is_empty:
        raise web.HTTPNotFound
    return document(found)
