"""Promoter.io's webhooks: unsigned, and of a shape that no stored page shows, so they only say what to read again.

Event names from Promoter.io's help centre, article "Webhooks"; the envelope `hook` and `data` is what applications of
its kind commonly send.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from npsbridge.core import reading
from npsbridge.core.keys import normalised_email
from npsbridge.core.ports import Heard
from npsbridge.errors import BadRecord
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter.settings import PromoterSettings

MOST_HINTS = 100
"""Of one request: more than any honest one has."""

_OF_FEEDBACK = ("feedback.", "survey.response_")
"""What general and eCommerce accounts call the news of an answer."""
_REMOVED = "removed"
_UNSUBSCRIBED = "contact.unsubscribed"
_EVENT_NAMES = ("event", "event_type", "type")
_INSIDE = ("data", "feedback", "response", "survey_response", "payload", "object")
_IDS = ("feedback_id", "response_id", "survey_response_id", "id")
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class PromoterReceiver:
    """Takes every body that may be meant; what it says beside the id is not believed.

    News of a removal tells nothing: what was emitted cannot be called back, and reading a removed feedback back finds
    none. `contact.unsubscribed` names who wants no more surveys, the only news that counts without being read back:
    no list shows it, and to leave somebody alone harms nobody. News of tags and metrics that name no feedback are none
    of ours; the rescans find what they changed.
    """

    def __init__(self, wiring: Wiring[PromoterSettings]) -> None:
        token = wiring.settings.webhook_token
        self.token = token.get_secret_value() if token else ""

    def hear(self, raw: bytes) -> Heard:
        """The ids of the feedback that a request speaks of; see `TokenReceiver.hear`.

        Raises:
            BadRecord: it is no JSON object or list of them, or it is news of a feedback without its id.
        """
        body = reading.decode(raw, Any)
        news = body if isinstance(body, list) else [body]
        hints = dict.fromkeys(hint for item in news for hint in _hints(item))
        if len(hints) > MOST_HINTS:
            raise BadRecord("", f"speaks of more than {MOST_HINTS} feedbacks")
        unsubscribed = dict.fromkeys(email for item in news for email in _unsubscribed(item))
        return Heard(hints=list(hints), unsubscribed=list(unsubscribed)[:MOST_HINTS])


def _hints(item: object) -> Iterator[str]:
    if not isinstance(item, dict):
        raise BadRecord("", "is not an object or a list of objects")
    event = _event(item)
    found = _feedback_id(item)
    if event is None:
        # One URL can be pasted for one event only, so a body without a name may be the bare feedback.
        yield from () if found is None else (_checked(found),)
    elif event.startswith(_OF_FEEDBACK) and not event.endswith(_REMOVED):
        if found is None:
            raise BadRecord("/data/id", "is missing")
        yield _checked(found)


def _unsubscribed(item: object) -> Iterator[str]:
    if isinstance(item, dict) and _event(item) == _UNSUBSCRIBED:
        places = (item.get("data"), item.get("contact"), item)
        found = (place.get("email") for place in places if isinstance(place, dict))
        yield from (email for value in found if isinstance(value, str) and (email := normalised_email(value)))


def _event(item: Mapping[str, Any]) -> str | None:
    """The name of the news, in the envelope's `hook` or beside the data; `feedback` alone is the REST hook's word."""
    hook = item.get("hook")
    for place in (hook if isinstance(hook, dict) else {}, item):
        for name in _EVENT_NAMES:
            if isinstance(place.get(name), str):
                return str(place[name]).strip().lower()
    return None


def _feedback_id(item: Mapping[str, Any]) -> object:
    """The innermost id counts: around it there may be that of the news itself."""
    for name in _INSIDE:
        inner = item.get(name)
        found = _feedback_id(inner) if isinstance(inner, dict) else None
        if found is not None:
            return found
    return next((item[name] for name in _IDS if item.get(name) is not None), None)


def _checked(value: object) -> str:
    """An id that can stand in a path, whoever made the request."""
    found = reading.identifier(value, "/data/id")
    if not _ID.fullmatch(found):
        raise BadRecord("/data/id", "is not an id")
    return found
