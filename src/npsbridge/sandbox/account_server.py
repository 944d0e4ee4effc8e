"""What the look-alikes of the survey platforms share: an account that people answer in, webhooks about it, admission.

The words here are the same for every vendor, whatever the vendor calls things; it knows none of them.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any, ClassVar, Generic, TypeVar, Unpack

import msgspec
from aiohttp import web

from npsbridge.core.model import Record
from npsbridge.sandbox.account_inspection import EditAsked, Listing, account_inspection_routes
from npsbridge.sandbox.account_state import AccountState, Asked, SwitchesT
from npsbridge.sandbox.rate import RateGate
from npsbridge.sandbox.server import Handler, LookAlike, Place
from npsbridge.sandbox.switches import changed
from npsbridge.sandbox.vendor_error import VendorError
from npsbridge.sandbox.webhooks import Webhook, WebhookSender

IdT = TypeVar("IdT", str, int)
PastT = TypeVar("PastT")


class Access(Place, total=False):
    """Where and when, and the secrets of an account."""

    api_key: str
    webhook_token: str


class SurveyLookAlike(LookAlike, ABC, Generic[SwitchesT, IdT, PastT]):
    """An account of a survey platform with its API: its switches, the ids of its responses, its rows for `load`.

    Args:
        api_key: The key that callers must present; `sandbox_key` if nothing is said.
        webhook_token: The secret at the end of the daemon's hook; `sandbox_token` if nothing is said.
        place: Where it listens, its clock and its dice; see `LookAlike`.

    Attributes:
        account: The state, for what the methods here do not offer; a vendor makes it.
        webhook_url: Where webhooks go; None for nowhere.
        webhooks: What was sent there, and what still waits.
    """

    account: AccountState[SwitchesT, Any]
    sandbox_key: ClassVar[str]
    """A key for who needs no key of their own."""
    sandbox_token: ClassVar[str | None] = None
    """The same for a hook; None where webhooks are signed."""
    vendor_error: ClassVar[type[VendorError]]
    """How the vendor refuses."""
    answer_asked: ClassVar[type[Record]]
    """The body of `POST /__sim/answers`: `person`, `score`, and further arguments of `answer`."""
    edit_asked: ClassVar[type[EditAsked]] = EditAsked
    """The body of `POST /__sim/edits`."""
    has_tags: ClassVar[bool] = True
    """Whether `edit` takes `tags`."""

    def __init__(self, *, api_key: str | None = None, webhook_token: str | None = None, **place: Unpack[Place]) -> None:
        super().__init__(**place)
        self.api_key = api_key or self.sandbox_key
        self.webhook_token = webhook_token or self.sandbox_token
        self.webhook_url: str | None = None
        self.webhooks = WebhookSender(lambda: self.switches.webhooks, self.dice)
        self._rate_gate = RateGate(self.now)
        self._sending: asyncio.Task[None] | None = None

    # --- what a vendor adds ---------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def base_url(self) -> str:
        """What clients are configured with."""

    @property
    @abstractmethod
    def responses(self) -> Mapping[IdT, Any]:
        """Every response as it really is, visible or not yet, by id; each has `id`, `score` and `comment`."""

    @property
    @abstractmethod
    def people(self) -> Mapping[str, Any]:
        """Everybody, by what identifies them at the vendor."""

    @property
    def emails(self) -> Sequence[str]:
        """The emails of the people."""
        return [person.email for person in self.people.values() if person.email is not None]

    @property
    @abstractmethod
    def asked(self) -> Asked:
        """What callers of the API have asked for."""

    @abstractmethod
    def properties_of(self, email: str) -> Mapping[str, Any]:
        """What the account knows of somebody beside name and email."""

    def answer_again(self, email: str, score: int) -> IdT:
        """Somebody who was surveyed before is surveyed as they were, and answers."""
        return self.answer(email, score)

    @abstractmethod
    def shown(self, row: Any) -> Mapping[str, Any]:
        """A response as the vendor's API shows it."""

    @abstractmethod
    def answer(self, email: str | None, score: Any, /, *, comment: str | None = None, **more: Any) -> IdT:
        """Somebody answers, unknown until then or not; None is somebody anonymous. The id of the response."""

    @abstractmethod
    def edit(self, response_id: IdT, /, **changes: Any) -> None:
        """A response is changed: `score`, `comment`, `tags` where there are any. Raises KeyError without one."""

    @abstractmethod
    def load(self, answers: Iterable[PastT]) -> Sequence[IdT]:
        """Load many past answers at once, without webhooks; returns their ids in the same order."""

    @abstractmethod
    def admit(self, request: web.Request) -> None:
        """Raise `vendor_error` for whom the vendor would not let in."""

    @abstractmethod
    def api_routes(self) -> Iterable[web.RouteDef]:
        """The API of the vendor, and what only this vendor has under `/__sim/`."""

    def worded(self, error: Any, request: web.Request) -> web.Response:
        """A refusal in the vendor's words."""
        raise NotImplementedError

    def figures(self) -> dict[str, Any]:
        """Further values of `state`."""
        return {}

    def own_settings(self) -> dict[str, str]:
        """Further settings that a daemon needs here, by the last part of their names."""
        return {}

    # --- the settings of a daemon ---------------------------------------------------------------------------------

    def environment(self, prefix: str | None = None) -> dict[str, str]:
        """The settings that point a daemon here.

        Args:
            prefix: What their names begin with; if nothing is said, as for a connection named like the platform.
        """
        prefix = f"NPSBRIDGE_{self.kind.upper()}__" if prefix is None else prefix
        token = {"WEBHOOK_TOKEN": self.webhook_token} if self.webhook_token is not None else {}
        settings = {"API_KEY": self.api_key, "BASE_URL": self.base_url, **token, **self.own_settings()}
        return {f"{prefix}{name}": value for name, value in settings.items()}

    def send_webhooks_to(self, listener: str, connection: str | None = None) -> None:
        """Send webhooks to a daemon from now on.

        Args:
            listener: Scheme, host and port of its public listener.
            connection: Its name for this account; the platform's if nothing is said.
        """
        parts = [listener.rstrip("/"), "hooks", connection or self.kind, self.webhook_token]
        self.webhook_url = "/".join(part for part in parts if part is not None)

    # --- life -----------------------------------------------------------------------------------------------------

    @property
    def switches(self) -> SwitchesT:
        """How the account behaves now."""
        return self.account.switches

    def change_switches(self, changes: Mapping[str, Any]) -> None:
        """Change switches by name, such as `{"standing": "retired"}`.

        Raises:
            ValueError: A switch does not exist or cannot have that value; the text names it.
        """
        self.account.adopt(changed(self.switches, changes))

    async def start(self) -> None:
        """Listen, and send webhooks."""
        await super().start()
        self._sending = asyncio.create_task(self.webhooks.run(), name=f"webhooks of the sandbox's {self.kind}")

    async def stop(self) -> None:
        """Close everything; the account stays as it is, webhooks on their way are lost."""
        await super().stop()
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()
            await asyncio.wait([sending])
            if not sending.cancelled():
                sending.result()

    def post_webhook(self, make: Callable[[], Webhook]) -> None:
        """Make a webhook and send it, if there is somewhere to send it to."""
        if self.webhook_url is not None:
            self.webhooks.put(self.webhook_url, make())

    # --- looking into it ------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What `/__sim/state` shows."""
        return {
            "kind": self.kind,
            "base_url": self.base_url,
            "now": self.now(),
            "responses": len(self.responses),
            "people": len(self.people),
            "asked": msgspec.to_builtins(self.asked),
            **self.figures(),
            "webhook_url": self.webhook_url,
            "webhooks_waiting": self.webhooks.waiting,
            "requests": len(self.requests) + self.requests.forgotten,
            "switches": msgspec.to_builtins(self.switches),
        }

    def listings(self) -> dict[str, Listing]:
        """What can be looked at under `/__sim/`, by the last part of the address."""
        return {
            "responses": Listing(lambda: list(self.responses.values()), self.shown),
            "people": Listing(lambda: list(self.people.values())),
            "webhooks": Listing(lambda: list(self.webhooks.attempts)),
        }

    def take_answer(self, fields: dict[str, Any]) -> IdT:
        """Somebody answers by `POST /__sim/answers`."""
        return self.answer(fields.pop("person"), fields.pop("score"), **fields)

    # --- requests -------------------------------------------------------------------------------------------------

    def routes(self) -> Iterable[web.RouteDef]:
        """The API of the vendor, and the account's own part of `/__sim/`."""
        yield from self.api_routes()
        yield from account_inspection_routes(self)

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request of the API, errors in the vendor's words."""
        try:
            self.account.catch_up()
            self.admit(request)
            return await handler(request)
        except VendorError as error:
            return self.worded(error, request)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            return self.worded(self.vendor_error(HTTPStatus.NOT_FOUND), request)

    def limit_rate(self) -> None:
        """Raise `vendor_error` for who comes too often."""
        wait = self._rate_gate.wait_for_next(self.api_key, self.switches.rate_limit)
        if wait:
            raise self.too_early(wait, {"Retry-After": str(ceil(wait))} if self.switches.retry_after_header else {})

    def too_early(self, wait: float, headers: Mapping[str, str]) -> VendorError:  # noqa: ARG002 - some vendors tell it
        """The refusal of who has to wait so many seconds."""
        return self.vendor_error(HTTPStatus.TOO_MANY_REQUESTS, headers=headers)
