"""Every address of the dashboard, and what answers there."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from aiohttp import web

from npsbridge.web.dashboard import acts, deliveries, nps, overview, people
from npsbridge.web.dashboard.pages import Pages, static

_Answer = Callable[[Pages, web.Request], Awaitable[web.Response]]

PAGES: Final[dict[str, _Answer]] = {
    "/": overview.overview_page,
    "/nps": nps.nps_page,
    "/answer": nps.answer_page,
    "/deliveries": deliveries.deliveries_page,
    "/deliveries/{id}": deliveries.delivery_page,
    "/trace": deliveries.trace_page,
    "/people": people.people_page,
    "/api/overview": overview.overview_document,
    "/api/nps": nps.nps_document,
    "/api/deliveries": deliveries.deliveries_document,
    "/api/trace": deliveries.trace_document,
    "/api/people": people.people_document,
}
ACTS: Final[dict[str, acts.Asking]] = {
    "/deliveries/all/{act}": acts.about_all,
    "/deliveries/{id}/{act}": acts.about_delivery,
    "/connections/{name}/{act}": acts.about_connection,
    "/people/forget": acts.about_person,
}


def dashboard_routes(pages: Pages) -> list[web.RouteDef]:
    """Every address of the dashboard."""
    return [
        web.get("/static/{name}", static),
        *(web.get(path, partial(answer, pages)) for path, answer in PAGES.items()),
        *(web.get(path, partial(acts.ask, pages, asking)) for path, asking in ACTS.items()),
        *(web.post(path, partial(acts.act, pages, asking)) for path, asking in ACTS.items()),
    ]
