"""What people answered: the score and where it goes, by camp, platform and campaign, and what they wrote."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import anyio.to_thread
import msgspec
from aiohttp import web
from msgspec import UNSET

from npsbridge.core.model import Record, Response
from npsbridge.core.records import RememberedResponse
from npsbridge.core.times import milliseconds
from npsbridge.core.translate import category
from npsbridge.core.views import Answers, Scored, Views
from npsbridge.web.dashboard.filters import NPS, OPTIONS, PAGE, Filters
from npsbridge.web.dashboard.pages import Pages, document
from npsbridge.web.dashboard.score import DAY_MS, Camps, Stretch, camps_of, distribution, mean, stretches
from npsbridge.web.dashboard.words import shortened
from npsbridge.web.view import View

COMMENT: Final = 320
"""Characters of a comment in a list."""
_NPS_LIKE: Final = (NPS, "enps")
"""Survey types whose scores are counted as NPS is."""


class Shown(Record, frozen=True, kw_only=True):
    """An answer in a list."""

    connection: str
    platform: str
    id: str
    score: float | None
    camp: str | None
    comment: str | None
    """None while comments are hidden, too."""
    is_cut: bool
    has_comment: bool
    answered_at: int
    name: str | None
    email: str | None
    campaign: str | None
    permalink: str | None
    revision: int


class Group(Record, frozen=True, kw_only=True):
    """A connection, or a campaign, and its answers."""

    name: str
    link: str
    camps: Camps


class Findings(Record, frozen=True, kw_only=True):
    """Everything on the NPS page but its charts."""

    is_nps: bool
    """Whether the chosen survey is counted in camps."""
    camps: Camps
    nps: float | None
    mean: float | None
    count: int
    before: Camps | None
    """The same length of time before; None without a begin."""
    stretches: list[Stretch]
    distribution: list[int]
    connections: list[Group]
    campaigns: list[Group]
    answers: list[Shown]
    has_more: bool
    surveys: list[str]
    """The survey types there are."""


def shown_answer(known: RememberedResponse, *, hides_comments: bool, most: int = COMMENT) -> Shown:
    """An answer as lists show it."""
    response = known.response
    comment = None if hides_comments or not response.comment else response.comment
    return Shown(
        connection=response.connection,
        platform=response.platform,
        id=response.id,
        score=response.score,
        camp=camp_of(response),
        comment=None if comment is None else shortened(comment, most),
        is_cut=comment is not None and len(comment) > most,
        has_comment=bool(response.comment),
        answered_at=milliseconds(response.created_at),
        name=response.person.name,
        email=response.person.email,
        campaign=campaign_of(response),
        permalink=response.permalink if isinstance(response.permalink, str) else None,
        revision=known.revision,
    )


def camp_of(response: Response) -> str | None:
    """The camp of an answer, where there are camps."""
    return category(response.score) if response.survey_type in _NPS_LIKE and response.score is not None else None


def campaign_of(response: Response) -> str | None:
    """The name of its campaign, or its id."""
    campaign = response.campaign
    return None if campaign is UNSET else campaign.name or campaign.id


def groups(scored: Iterable[Scored], which: int, link: str, filters: Filters) -> list[Group]:
    """Answers by connection (`which` 0) or campaign (1), those with the most answers first."""
    found: dict[str, Camps] = {}
    for one in scored:
        name = one.key[which]
        if isinstance(name, str):
            found[name] = found.get(name, Camps()) + camps_of([one])
    ordered = sorted(found.items(), key=lambda item: (-item[1].total, item[0]))
    return [Group(name=name, link=filters.address(**{link: name}), camps=camps) for name, camps in ordered]


# --- looking ----------------------------------------------------------------------------------------------------


async def platforms_of(view: View) -> dict[str, str]:
    """By name of each connection that is configured or has answers: its platform."""
    return dict(sorted({**await view.seams.store.views.connections(), **view.platforms}.items()))


async def look(view: View, filters: Filters, platforms: Mapping[str, str]) -> Findings:
    """What the filters mean."""
    now, views = view.seams.clock.now_ms(), view.seams.store.views
    which = filters.wanted(platforms, now)
    by_day, by_group, answers, surveys = await asyncio.gather(
        views.scores_by_day(_with_run_up(which, int(filters.window))),
        views.scores_by_group(which),
        _page_of(views, which, filters),
        views.survey_types(Answers(connections=which.connections, since=which.since)),
    )
    return put_together(filters, which, by_day=by_day, by_group=by_group, answers=answers, surveys=surveys)


def _with_run_up(which: Answers, window: int) -> Answers:
    """The same with the days before that the moving window or a comparison needs."""
    if which.since is None or which.until is None:
        return which
    before = max(window * DAY_MS, which.until - which.since)
    return msgspec.structs.replace(which, since=which.since - before)


async def _page_of(views: Views, which: Answers, filters: Filters) -> list[RememberedResponse]:
    skip = (filters.page - 1) * PAGE
    return await views.answers(which, lowest_first=filters.sort == "low", skip=skip, limit=PAGE + 1)


def put_together(
    filters: Filters,
    which: Answers,
    *,
    by_day: Sequence[Scored],
    by_group: Sequence[Scored],
    answers: Sequence[RememberedResponse],
    surveys: list[str],
) -> Findings:
    """The whole page from its parts."""
    last = ((which.until or 0) - 1) // DAY_MS
    first = which.since // DAY_MS if which.since is not None else min((one.day for one in by_day), default=last)
    inside = [one for one in by_day if one.day >= first]
    camps, length = camps_of(inside), last - first + 1
    return Findings(
        is_nps=which.survey_type in _NPS_LIKE,
        camps=camps,
        nps=camps.nps,
        mean=mean(inside),
        count=camps.total,
        before=None if which.since is None else camps_of(one for one in by_day if first - length <= one.day < first),
        stretches=stretches(by_day, first, last, window=int(filters.window)),
        distribution=distribution(inside),
        connections=groups(by_group, 0, "connection", filters),
        campaigns=groups(by_group, 1, "campaign", filters),
        answers=[shown_answer(one, hides_comments=filters.hides_comments) for one in answers[:PAGE]],
        has_more=len(answers) > PAGE,
        surveys=surveys,
    )


# --- routes -----------------------------------------------------------------------------------------------------


async def nps_page(pages: Pages, request: web.Request) -> web.Response:
    """The score, its charts and the answers."""
    filters, platforms = Filters.read(request.query), await platforms_of(pages.view)
    found = await look(pages.view, filters, platforms)
    drawn = await anyio.to_thread.run_sync(partial(_drawn, found)) if found.count else None
    shown: dict[str, Any] = {
        "found": found,
        "filters": filters,
        "options": OPTIONS,
        "platforms": platforms,
        "charts": drawn,
    }
    return await pages.page("nps.html", request, **shown)


def _drawn(found: Findings) -> dict[str, Any]:
    from npsbridge.web.dashboard import charts  # noqa: PLC0415 - see there

    drawn = {"volume": charts.volume(found.stretches), "distribution": charts.distribution(found.distribution)}
    if found.is_nps:
        drawn |= {"trend": charts.trend(found.stretches), "shares": charts.shares(found.stretches)}
    return drawn


async def nps_document(pages: Pages, request: web.Request) -> web.Response:
    """What stands on the NPS page."""
    filters, platforms = Filters.read(request.query), await platforms_of(pages.view)
    return document(await look(pages.view, filters, platforms))


async def answer_page(pages: Pages, request: web.Request) -> web.Response:
    """One answer, whole.

    Raises:
        web.HTTPNotFound: there is none with this id.
    """
    connection, response_id = request.query.get("connection", ""), request.query.get("id", "")
    known = await pages.view.seams.store.views.answer(connection, response_id)
    if known is None:
        raise web.HTTPNotFound(text="No answer with this id is known here. It may have been erased.")
    shown = shown_answer(known, hides_comments=False, most=len(known.response.comment or ""))
    return await pages.page("answer.html", request, known=known, shown=shown)
