"""The look-alike of Heap's server-side API on loopback (developers.heap.io), for both regions.

What its pages leave open is in `switches.py`. Heap's answers say nothing of single entries, so neither do these; what
was refused, and why, is for those who look in.
"""

import base64
import binascii
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from math import ceil
from typing import Any, Final

import msgspec
from aiohttp import web

from npsbridge.core.model import Record
from npsbridge.sandbox.heap.deletion import Deletions
from npsbridge.sandbox.heap.entries import (
    HeapEvent,
    Properties,
    Reader,
    Refused,
    UserEntry,
    account_of,
    body_of,
    event_of,
    identity_of,
    user_id_of,
    user_of,
)
from npsbridge.sandbox.heap.limits import TooMany, Windows
from npsbridge.sandbox.heap.stored import Stored
from npsbridge.sandbox.heap.switches import HeapSwitches
from npsbridge.sandbox.inspection import INSPECTION, latest, shown
from npsbridge.sandbox.server import Handler, LookAlike, Now, json_answer, system_time
from npsbridge.sandbox.switches import changed

SANDBOX_APP_ID = "123456789"
SANDBOX_API_KEY = "sandbox-heap-deletion-key"

_STANDINGS = {
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "forbidden": HTTPStatus.FORBIDDEN,
    "missing": HTTPStatus.NOT_FOUND,
}
_TRACK, _USERS, _ACCOUNTS = "/api/track", "/api/add_user_properties", "/api/add_account_properties"
_DELETION: Final = "/api/public/v0"
_PAGE: Final = "<!DOCTYPE html><html><body>Too many requests</body></html>"


class _Kind(Record, frozen=True, kw_only=True):
    """One kind of entries that can be written."""

    array: str
    """The field that makes a request a bulk request."""
    read: Reader
    write: Callable[[Any], None]


class HeapServer(LookAlike):
    """An environment of Heap that remembers what it accepted.

    Args:
        app_id: The id of the environment.
        api_key: The key for deletions; nothing else takes one.
        switches: How it behaves; see `change_switches`.
        host: Address to listen on.
        port: 0 takes a free one.
        now: Wall clock, seconds since 1970.
        dice: Source of chance.

    Attributes:
        app_id: The id of the environment.
        stored: All that is stored, for what the properties here do not offer.
        refused: Why entries were not taken, and how many of them.
    """

    def __init__(
        self,
        *,
        app_id: str = SANDBOX_APP_ID,
        api_key: str = SANDBOX_API_KEY,
        switches: HeapSwitches = HeapSwitches(),  # noqa: B008 - a frozen record
        host: str = "127.0.0.1",
        port: int = 0,
        now: Now = system_time,
        dice: random.Random | None = None,
    ) -> None:
        super().__init__(host=host, port=port, now=now, dice=dice)
        self.app_id = app_id
        self.api_key = api_key
        self.switches = switches
        self._writes = 0
        self.forget()

    @property
    def base_url(self) -> str:
        """What clients are configured with, without `/api`."""
        return self.origin

    @property
    def events(self) -> Sequence[HeapEvent]:
        """Every event that was stored, in the order in which they took effect."""
        return self.stored.events

    @property
    def users(self) -> Mapping[str, Properties]:
        """The properties of everybody, by identity (or `user_id:<number>` of somebody without one)."""
        return self.stored.users

    def environment(self, prefix: str = "NPSBRIDGE_HEAP__") -> dict[str, str]:
        """The settings that point a daemon here; `prefix` is what their names begin with."""
        return {f"{prefix}APP_ID": self.app_id, f"{prefix}BASE_URL": self.base_url}

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Change switches by name, such as `{"bad_entry": "dropped"}`.

        Raises:
            ValueError: A switch does not exist or cannot have that value; the text names it.
        """
        self.switches = changed(self.switches, changes)

    def forget(self) -> None:
        """Forget everything that was ever sent."""
        self.stored = Stored()
        self.refused: Counter[str] = Counter()
        self._windows = Windows(self.now)
        self._deletions = Deletions(self.now, self.dice, self.stored.delete)

    def state(self) -> dict[str, Any]:
        """What `/__sim/state` shows."""
        return {
            "kind": "heap",
            "base_url": self.base_url,
            "now": self.now(),
            "app_id": self.app_id,
            "events": len(self.events),
            "users": len(self.users),
            "repeated": self.stored.repeated.total(),
            "refused": dict(self.refused),
            "requests": len(self.requests) + self.requests.forgotten,
            "switches": msgspec.to_builtins(self.switches),
        }

    # --- requests -------------------------------------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The API, and the environment's own part of `/__sim/`."""
        return [
            web.post(_TRACK, self._track),
            web.post(_USERS, self._add_user_properties),
            web.post(_ACCOUNTS, self._add_account_properties),
            web.post("/api/v1/identify", self._identify),
            web.post(f"{_DELETION}/auth_token", self._auth_token),
            web.post(f"{_DELETION}/user_deletion", self._user_deletion),
            web.get(f"{_DELETION}/deletion_status/{{number}}", self._deletion_status),
            web.get(f"{INSPECTION}events", self._show_events),
            web.delete(f"{INSPECTION}events", self._forget_events),
            web.get(f"{INSPECTION}users", self._show_users),
        ]

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request of the API, errors in Heap's few words."""
        try:
            self._check_standing(request)
            return await handler(request)
        except Refused as refused:
            self.refused[refused.reason] += 1
            return _refusal(request, refused)
        except TooMany as refused:
            self.refused["rate"] += 1
            return self._too_many(refused)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed) as error:
            return json_answer({}, error.status)

    def _check_standing(self, request: web.Request) -> None:
        standing = self.switches.standing
        if standing in _STANDINGS and not request.path.startswith(_DELETION):
            raise Refused(standing, _STANDINGS[standing])

    def _too_many(self, refused: TooMany) -> web.Response:
        headers = {"Retry-After": str(ceil(refused.wait))} if self.switches.retry_after_header else {}
        status = HTTPStatus.TOO_MANY_REQUESTS
        match self.switches.limit_body:
            case "object":
                return json_answer({}, status, headers)
            case "text":
                return web.Response(text=status.phrase, status=status, headers=headers)
            case "html":
                return web.Response(text=_PAGE, status=status, headers=headers, content_type="text/html")

    # --- writing --------------------------------------------------------------------------------------------------

    async def _track(self, request: web.Request) -> web.Response:
        read = partial(event_of, switches=self.switches, now=self.now())
        kind = _Kind(array="events", read=read, write=partial(self.stored.track, switches=self.switches))
        await self._write(request, kind)
        return self._success()

    async def _add_user_properties(self, request: web.Request) -> web.Response:
        read = partial(user_of, switches=self.switches)
        await self._write(request, _Kind(array="users", read=read, write=self.stored.set_user))
        return self._success()

    async def _add_account_properties(self, request: web.Request) -> web.Response:
        read = partial(account_of, switches=self.switches)
        await self._write(request, _Kind(array="accounts", read=read, write=self.stored.set_account))
        self._success()
        return web.Response(text="OK")

    async def _identify(self, request: web.Request) -> web.Response:
        body = body_of(await request.read())
        user_id = user_id_of(body)
        identity, _ = identity_of({"identity": body.get("identity")})
        if user_id is None or identity is None:
            raise Refused("identity, user_id: both are needed")
        if self._is_ours(body):
            self.stored.identify(user_id, identity, self.now())
        return self._success()

    async def _write(self, request: web.Request, kind: _Kind) -> None:
        """Take the entries of a request, or raise Refused or TooMany."""
        raw = await request.read()
        if self.switches.most_bytes is not None and len(raw) > self.switches.most_bytes:
            raise Refused("the request is too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        body = body_of(raw)
        is_ours, is_bulk = self._is_ours(body), kind.array in body
        good, bad = _judged(self._entries(body[kind.array]) if is_bulk else [body], kind.read)
        if bad and (not is_bulk or self.switches.bad_entry == "refuses_all"):
            raise bad[0]
        if is_ours:
            self._spend(good, kind.array, is_bulk=is_bulk)
            for entry in good if self.switches.order == "kept" else reversed(good):
                kind.write(entry)
        self._note(bad)
        if bad and self.switches.bad_entry == "refused_alone":
            raise bad[0]

    def _is_ours(self, body: Mapping[str, Any]) -> bool:
        """Whether the app id is this environment's; raises Refused where that is told."""
        app_id = body.get("app_id")
        # The pages disagree whether it is a text or a number.
        if not isinstance(app_id, str | int) or not str(app_id).isdecimal():
            raise Refused("app_id: missing, or no number")
        if str(app_id) == self.app_id:
            return True
        if self.switches.unknown_app != "taken":
            statuses = {"refused": HTTPStatus.BAD_REQUEST, "unauthorized": HTTPStatus.UNAUTHORIZED}
            raise Refused("app_id: unknown", statuses[self.switches.unknown_app])
        self.refused["app_id: unknown"] += 1
        return False

    def _entries(self, entries: object) -> list[Any]:
        if not isinstance(entries, list):
            raise Refused("the entries are no list")
        if len(entries) <= self.switches.most_entries or self.switches.oversize == "cut":
            return entries[: self.switches.most_entries]
        too_large = self.switches.oversize == "too_large"
        raise Refused("too many entries", HTTPStatus.REQUEST_ENTITY_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST)

    def _spend(self, entries: Sequence[Any], array: str, *, is_bulk: bool) -> None:
        """Count the entries towards the limits; raise TooMany, and count none, beyond one."""
        people = Counter(f"{array}:{is_bulk}:{e.person}" for e in entries if isinstance(e, HeapEvent | UserEntry))
        everything = {f"{array}:{is_bulk}": len(entries)}
        if not is_bulk:
            self._windows.check(people, self.switches.single_limit)
        elif array == "events":
            self._windows.check(people, self.switches.identity_limit)
            self._windows.check(everything, self.switches.app_limit)
        else:
            self._windows.check(everything, self.switches.users_limit)
        self._windows.take({**people, **everything})

    def _note(self, bad: Sequence[Refused]) -> None:
        """Count what was refused without stopping the others; a refusal that is raised counts by itself."""
        raised = 1 if bad and self.switches.bad_entry == "refused_alone" else 0
        self.refused.update(refusal.reason for refusal in bad[raised:])

    def _success(self) -> web.Response:
        self._writes += 1
        if self.switches.fails_every is not None and self._writes % self.switches.fails_every == 0:
            raise Refused("failed after it took effect", HTTPStatus.INTERNAL_SERVER_ERROR)
        status = self.switches.success_status
        return web.Response(status=status) if status == 204 else json_answer({}, status)  # noqa: PLR2004 - HTTP's own number

    # --- deletion -------------------------------------------------------------------------------------------------

    async def _auth_token(self, request: web.Request) -> web.Response:
        _, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            given = ""
        if given != f"{self.app_id}:{self.api_key}":
            raise Refused("Unauthorized", HTTPStatus.UNAUTHORIZED)
        return json_answer({"access_token": self._deletions.new_token()})

    async def _user_deletion(self, request: web.Request) -> web.Response:
        self._check_token(request)
        number = self._deletions.request(body_of(await request.read()).get("users"))
        location = f"{self.origin}{_DELETION}/deletion_status/{number}"
        asked = {"deletion_request_location": location, "deletion_request_id": number, "status": "pending"}
        return json_answer(asked, HTTPStatus.CREATED)

    async def _deletion_status(self, request: web.Request) -> web.Response:
        self._check_token(request)
        return json_answer(self._deletions.status(request.match_info["number"], self.switches.deletion_takes))

    def _check_token(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        self._deletions.check_token(token if scheme == "Bearer" else "", self.switches.token_life)

    # --- looking into it ------------------------------------------------------------------------------------------

    async def _show_events(self, request: web.Request) -> web.Response:
        return shown(latest(self.events, request))

    async def _show_users(self, _: web.Request) -> web.Response:
        return shown(self.users)

    async def _forget_events(self, _: web.Request) -> web.Response:
        self.forget()
        return shown(self.state())


def _judged(entries: Sequence[Any], read: Reader) -> tuple[list[Any], list[Refused]]:
    """The entries that are well formed, and why the others are not."""
    good: list[Any] = []
    bad: list[Refused] = []
    for entry in entries:
        try:
            good.append(read(entry))
        except Refused as refused:
            bad.append(refused)
    return good, bad


def _refusal(request: web.Request, refused: Refused) -> web.Response:
    """Accounts get a line of text, deletions a message, all else an empty object."""
    if request.path.startswith(_DELETION):
        return json_answer({"err": {"message": refused.reason}}, refused.status)
    if request.path == _ACCOUNTS:
        return web.Response(text=refused.reason, status=refused.status)
    return json_answer({}, refused.status)
