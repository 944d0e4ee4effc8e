"""From what is known to a page: templates, the headers that every page carries, and the files beside them.

Templates are loaded when somebody looks for the first time, and a page is put together in a thread: neither the start
of the daemon nor the line from arrival to delivery waits for it.
"""

from collections.abc import Mapping
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from loguru import logger

from npsbridge import __version__
from npsbridge.core.times import milliseconds
from npsbridge.errors import StoreError
from npsbridge.web.dashboard import words
from npsbridge.web.dashboard.forgery import Seal
from npsbridge.web.view import View

if TYPE_CHECKING:
    from jinja2 import Environment

HEADERS: Final = {
    # Nothing but our own files, no inline script or style, no frame around us, no form to elsewhere.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Nothing to elsewhere; with no-referrer browsers would hide from us as well where a form comes from.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
STATIC: Final = {
    "dashboard.css": "text/css",
    "dashboard.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
_PERSONAL: Final = {"Cache-Control": "no-store"}
_FOR_GOOD: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
_TITLES: Final = {
    401: "Who are you?",
    403: "Not from here",
    404: "There is no such thing",
    503: "The store does not answer",
}


class Pages:
    """Puts pages together for one view; made once for each daemon."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.seal = Seal()

    @property
    def now(self) -> int:
        """Milliseconds since 1970."""
        return self.view.seams.clock.now_ms()

    def token(self, act: str) -> str:
        """What the form of an act has to bring along."""
        return self.seal.token(act, self.now)

    async def page(self, template: str, request: web.Request, *, status: int = 200, **shown: Any) -> web.Response:
        """A page of a template."""
        now = self.now
        known = {"now": now, "path": request.path, "version": __version__, "ago": partial(words.ago, now=now)}
        text = await anyio.to_thread.run_sync(partial(_rendered, template, {**known, **shown}))
        return web.Response(text=text, content_type="text/html", status=status, headers=_PERSONAL)

    async def trouble(self, request: web.Request, status: int, text: str) -> web.Response:
        """A page that says what is wrong."""
        found = _TITLES.get(status, "That did not work")
        return await self.page("trouble.html", request, status=status, title=found, text=text)


def document(shown: Any) -> web.Response:
    """What stands behind a page, as JSON."""
    body = msgspec.json.encode(shown)
    return web.Response(body=body, content_type="application/json", headers=_PERSONAL)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - a daemon nobody looks at has none

    made = Environment(
        loader=PackageLoader("npsbridge.web.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(words.FILTERS)
    made.filters["ms"] = milliseconds
    made.globals["asset"] = _address
    return made


def _rendered(template: str, shown: Mapping[str, Any]) -> str:
    return _environment().get_template(template).render(shown)


# --- files ------------------------------------------------------------------------------------------------------


@cache
def _file(name: str) -> bytes:
    return files("npsbridge.web.dashboard").joinpath("static", name).read_bytes()


@cache
def _address(name: str) -> str:
    """Where a file of ours is; another version of it has another address, so that browsers may keep it."""
    return f"/static/{name}?v={sha256(_file(name)).hexdigest()[:12]}"


async def static(request: web.Request) -> web.Response:
    """A file beside the pages."""
    name = request.match_info["name"]
    if name not in STATIC:
        raise web.HTTPNotFound
    kept = _FOR_GOOD if "v" in request.query else _PERSONAL
    return web.Response(body=_file(name), content_type=STATIC[name], headers=kept)


# --- errors -----------------------------------------------------------------------------------------------------


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """What every answer of the admin listener carries (a signal of aiohttp)."""
    response.headers.update(HEADERS)


def telling(pages: Pages) -> Middleware:
    """Put errors into words on a page for whoever asked for pages; all others get them as JSON."""

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", ""):
            return await handler(request)
        try:
            return await handler(request)
        except web.HTTPException as error:
            answer = await pages.trouble(request, error.status, error.text or error.reason)
            if "WWW-Authenticate" in error.headers:
                answer.headers["WWW-Authenticate"] = error.headers["WWW-Authenticate"]
            return answer
        except (StoreError, TimeoutError) as error:
            logger.bind(path=request.path, reason=str(error)).warning("A page could not be shown")
            return await pages.trouble(request, 503, "It does not answer or has no room. Nothing was changed.")

    return tell
