"""One request to Promoter.io that writes, and what its answer means.

Statuses from Promoter.io's API reference (developers.promoter.io/reference); bodies of refusals from the fixtures of
the Ruby gem `promoter`. Knows nothing of calls and people: a delivery's body goes out as it is.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from npsbridge.clock import Clock
from npsbridge.core import reading
from npsbridge.core.forward import EVENT, IDENTIFY, SURVEY
from npsbridge.core.model import Delivery
from npsbridge.core.outcome import Blame, Declined, Delivered, Outcome, Paused, Rejected, Retired, RetryLater, Unknown
from npsbridge.errors import BadRecord, NotSent, TryLater
from npsbridge.net.answers import passing, retry_after
from npsbridge.net.client import HttpClient, Reply
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter.api import THROTTLED_FOR
from npsbridge.platforms.promoter.settings import PromoterSettings, authorized

PATHS: Final = {IDENTIFY: "/contacts/", EVENT: "/contacts/", SURVEY: "/v2/survey/"}
"""By kind of delivery; always with the slash at the end, without which nothing that is posted arrives."""
_OPERATIONS: Final = {IDENTIFY: "put_contact", EVENT: "put_order", SURVEY: "survey"}
_REFUSES_CONTENT: Final = frozenset({400, 413, 422})
_ECHOES: Final = frozenset({"id", "email", "contact", "campaign"})
"""At least one of them is in every answer to what was taken."""
_NOT_ELIGIBLE: Final = "not eligible"
_EMAIL: Final = re.compile(r"\S+@\S+")
_LONGEST_WORDS: Final = 200


class Sending:
    """Sends deliveries to one account, each in a request of its own."""

    def __init__(self, wiring: Wiring[PromoterSettings]) -> None:
        self._http: HttpClient = wiring.http
        self._clock: Clock = wiring.clock
        self._base_url = wiring.settings.base_url
        self._headers = {**authorized(wiring.settings), "Content-Type": "application/json"}
        self._setting: Callable[[str], str] = wiring.setting

    async def send(self, delivery: Delivery) -> Outcome:
        """Send it once. Raises nothing but cancellation.

        A contact may be sent again whenever it is unclear whether it arrived; a survey may not.
        """
        kind = delivery.kind
        if kind not in PATHS:
            return Rejected(reason="is of no kind that Promoter.io takes")
        try:
            reply = await self._http.request(
                "POST",
                self._base_url + PATHS[kind],
                operation=_OPERATIONS[kind],
                body=delivery.body,
                headers=self._headers,
            )
        except NotSent as error:
            return RetryLater(reason=str(error))
        except TryLater as error:
            return _doubtful(kind, str(error))
        return self._judge(kind, reply)

    def _judge(self, kind: str, reply: Reply) -> Outcome:
        status, said = reply.status, f"HTTP {reply.status}"
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own borders
            return (
                Delivered() if _is_taken(reply) else _doubtful(kind, f"{said} with an answer that is none of its own")
            )
        if passing(status):
            return self._passing(kind, reply)
        match status:
            case 401 | 403:
                return Paused(reason=f"{said}: the key is refused; check {self._setting('API_KEY')}")
            case 410:
                return Retired(reason=f"{said}: the service has ended")
            case _ if status in _REFUSES_CONTENT:
                return self._refused(reply)
            case _:
                return Paused(reason=f"{said} for {PATHS[kind]}; check {self._setting('BASE_URL')}")

    def _passing(self, kind: str, reply: Reply) -> Outcome:
        """Who comes too often is turned away before anything is done; of other trouble nobody knows when it struck."""
        said, asked = f"HTTP {reply.status}", retry_after(reply, now=self._clock.now())
        if reply.status == 429:  # noqa: PLR2004 - HTTP's own number
            return RetryLater(reason=said, after=THROTTLED_FOR if asked is None else asked)
        return _doubtful(kind, said, after=asked)

    def _refused(self, reply: Reply) -> Outcome:
        """400 says what is wrong, field by field, or that the person is not to be surveyed, which is an answer."""
        words = "; ".join(_words(_json(reply.body)))
        if _NOT_ELIGIBLE in words.lower():
            return Declined(reason="Promoter.io says that the contact is not eligible: throttled or unsubscribed")
        reason = f"HTTP {reply.status} {_EMAIL.sub('***', words)}".strip()[:_LONGEST_WORDS]
        return Rejected(reason=reason + self._advice(words))

    def _advice(self, words: str) -> str:
        if words.startswith("campaign"):
            return f"; check {self._setting('CAMPAIGN_ID')} and {self._setting('SURVEYS')}"
        return f"; check {self._setting('LIST_ID')}" if words.startswith("contact_list") else ""


def _doubtful(kind: str, reason: str, *, after: float | None = None) -> Outcome:
    """It may have happened: a survey must not be asked for again, a contact simply is."""
    return Unknown(reason=reason) if kind == SURVEY else RetryLater(reason=reason, after=after, blame=Blame.UNCLEAR)


def _is_taken(reply: Reply) -> bool:
    """Whether a 2xx is Promoter.io's: it echoes what was sent; a web page or an error's `detail` does not."""
    answer = _json(reply.body)
    return isinstance(answer, dict) and not _ECHOES.isdisjoint(answer)


def _words(answer: Any, place: str = "") -> Iterator[str]:
    """What a refusal says, each text with the field it is about."""
    if isinstance(answer, dict):
        for name, inner in answer.items():
            yield from _words(inner, f"{place}.{name}".lstrip("."))
    elif isinstance(answer, list):
        for inner in answer:
            yield from _words(inner, place)
    elif isinstance(answer, str):
        yield f"{place}: {answer}" if place else answer


def _json(body: bytes) -> Any:
    try:
        return reading.decode(body, object)
    except BadRecord:
        return None
