"""Retently's webhooks: unsigned, with a body that the account's users edit, so never more than a hint.

The token at the end of the URL is the secret; what the hint speaks of is read back from the API.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from npsbridge.core import reading
from npsbridge.core.keys import normalised_email
from npsbridge.core.ports import Heard
from npsbridge.errors import BadRecord
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.retently.settings import RetentlySettings

TEMPLATE: Final = (
    '{"event":"feedback","id":"…","email":"…","score":"…","comment":"…",'
    '"campaignId":"…","metricsType":"…","createdDate":"…"}'
)
"""The body we suggest for the campaign's webhook (Retently: Export); the placeholders are what its form offers."""

ANSWERS: Final = ("data", "feedback", "response", "responses", "payload", "body", "survey")
"""Where a template may put the answer inside of something else."""
PERSONS: Final = ("customer", "contact", "person", "subscriber")
IDS: Final = ("feedbackId", "feedback_id", "responseId", "response_id", "id", "_id")
EMAILS: Final = ("email", "customerEmail", "contactEmail", "customer_email")
OPTED_OUT: Final = ("unsubscrib", "optout", "optedout")
NO_ANSWER: Final = (*OPTED_OUT, "bounce")
"""Parts of the names of other news: a contact opted out, a survey bounced."""
DEEPEST: Final = 4

_ID = re.compile(r"[0-9A-Za-z_-]{6,64}")


class RetentlyReceiver:
    """Finds out which answer a webhook speaks of; takes every shape that a template may have."""

    def __init__(self, wiring: Wiring[RetentlySettings]) -> None:
        token = wiring.settings.webhook_token
        self.token = token.get_secret_value() if token else ""

    def hear(self, raw: bytes) -> Heard:
        """Ids and emails to read back, see `RetentlySource.look_up`; nothing for news that brings no answer.

        Raises:
            BadRecord: the body is no JSON object or list.
        """
        body = reading.decode(raw, Any)
        if not isinstance(body, dict | list):
            raise BadRecord("", "is neither an object nor a list")
        unsubscribed = dict.fromkeys(_unsubscribed(body, DEEPEST))
        return Heard(hints=list(dict.fromkeys(_hints(body, DEEPEST))), unsubscribed=list(unsubscribed))


def _hints(body: object, depth: int) -> Iterator[str]:
    """One hint for each object that names an answer or a person; what is further in knows better."""
    if isinstance(body, list):
        for item in body:
            yield from _hints(item, depth - 1)
    elif isinstance(body, dict) and depth > 0 and not _is_news_of(body, NO_ANSWER):
        inner = [hint for name in ANSWERS for hint in _hints(body.get(name), depth - 1)]
        words = [word for word in (_id(body), _email(body)) if word]
        yield from inner or ([" ".join(words)] if words else [])


def _unsubscribed(body: object, depth: int) -> Iterator[str]:
    """Who opted out. No list shows it, so the news counts as it stands: to leave somebody alone harms nobody."""
    if isinstance(body, list):
        for item in body:
            yield from _unsubscribed(item, depth - 1)
    elif isinstance(body, dict) and depth > 0 and _is_news_of(body, OPTED_OUT):
        found = (_email(place) for place in (body, *(body.get(name) for name in ANSWERS)) if isinstance(place, dict))
        yield from filter(None, found)


def _is_news_of(body: Mapping[str, Any], parts: tuple[str, ...]) -> bool:
    event = body.get("event") or body.get("eventType") or body.get("type")
    letters = "".join(filter(str.isalpha, event)).casefold() if isinstance(event, str) else ""
    return any(part in letters for part in parts)


def _id(body: Mapping[str, Any]) -> str | None:
    """An id that can be one; a placeholder that nobody filled in is none."""
    found = (body.get(name) for name in IDS)
    return next((value for value in found if isinstance(value, str) and _ID.fullmatch(value)), None)


def _email(body: Mapping[str, Any]) -> str | None:
    persons = [body, *(person for name in PERSONS if isinstance(person := body.get(name), dict))]
    found = (person.get(name) for person in persons for name in EMAILS)
    return next((email for value in found if isinstance(value, str) and (email := normalised_email(value))), None)
