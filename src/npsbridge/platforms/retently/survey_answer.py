"""What Retently's answer to a request for surveys says of each person (pure).

The keys `success` and `status`, and whether there are results by row, are known from public clients only (Composio's
wrapper for the survey, Pipedream's for customers, whose rows have `status` and `reason`); so every place they may be in
is looked at, and what cannot be understood is never taken for a yes or a no. Knows no HTTP.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from npsbridge.core import reading
from npsbridge.core.outcome import Declined, Delivered, Outcome, Rejected, Unknown
from npsbridge.errors import BadRecord

TAKEN: Final = frozenset(
    {"success", "succeeded", "ok", "queued", "accepted", "created", "updated", "scheduled", "pending", "sent"}
)
DECLINED: Final = (
    "unsubscrib",
    "optedout",
    "optout",
    "suppress",
    "bounce",
    "throttl",
    "notinthesample",
    "sampled",
    "eligible",
    "audience",
    "skipped",
    "alreadysurveyed",
    "recentlysurveyed",
)
"""Parts of the reasons for which the vendor decides against a survey."""
FAILED: Final = ("fail", "error", "invalid", "reject", "refus")
EXISTS: Final = "exists"
"""Said of a customer who was there before; whether the survey was asked for is then open."""
LISTS: Final = ("subscribers", "results", "surveys", "rows")
LONGEST_REASON: Final = 160

_EMAIL: Final = re.compile(r"\S+@\S+")


def outcomes(body: bytes, emails: Sequence[str]) -> list[Outcome]:
    """What an answer with a good status means, in the order of the rows that were sent.

    Args:
        body: the answer.
        emails: those of the rows, each once.
    """
    try:
        answer = reading.decode(body, dict[str, Any])
    except BadRecord:
        return [Unknown(reason="what answered is not Retently's API")] * len(emails)
    rows = _by_email(answer.get("data"), {email.casefold() for email in emails})
    if rows:
        return [_of_row(rows.get(email.casefold())) for email in emails]
    whole = _of_all(answer)
    if isinstance(whole, Declined | Rejected) and len(emails) > 1:
        whole = Unknown(reason=f"{whole.reason} (of {len(emails)} people at once)")
    return [whole] * len(emails)


def refused(words: str) -> Declined | Rejected:
    """What an error about a single person means, given what was said with it."""
    is_declined = any(part in _letters(words) for part in DECLINED)
    return Declined(reason=f"Retently decided against it: {words}") if is_declined else Rejected(reason=words)


def _by_email(data: object, asked: Collection[str]) -> dict[str, dict[str, Any]]:
    """Results by row, when there are any: a map by email, or a list of objects that have one."""
    if isinstance(data, dict):
        rows = {email.strip().casefold(): row for email, row in data.items() if isinstance(row, dict)}
        listed = (_listed(data.get(name)) for name in LISTS)
        return rows if rows.keys() & asked else next(filter(None, listed), {})
    return _listed(data)


def _listed(rows: object) -> dict[str, dict[str, Any]]:
    if not isinstance(rows, list):
        return {}
    named = [row for row in rows if isinstance(row, dict) and isinstance(row.get("email"), str)]
    return {row["email"].strip().casefold(): row for row in named}


def _of_row(row: Mapping[str, Any] | None) -> Outcome:
    if row is None:
        return Unknown(reason="the answer says nothing of this person")
    return _verdict(row.get("success"), row.get("status"), row.get("reason") or row.get("message") or row.get("error"))


def _of_all(answer: Mapping[str, Any]) -> Outcome:
    inside = answer.get("data")
    told = {**answer, **inside} if isinstance(inside, dict) else answer
    numbers = (told.get("code"), told.get("status"))
    codes = [number for number in numbers if isinstance(number, int) and not isinstance(number, bool)]
    if any(not 200 <= code < 300 for code in codes):  # noqa: PLR2004 - HTTP's own borders
        return Unknown(reason=f"a good status with error {codes[0]} inside")
    # The body repeats the HTTP status as `code` (retently.com/api); with neither that nor `success` nothing is said.
    success = told.get("success", True if codes else None)
    return _verdict(success, told.get("status"), told.get("message"))


def _verdict(success: object, status: object, reason: object) -> Outcome:
    """A refusal has a reason; of a plain yes the words are only courtesy."""
    state, words = _letters(status), _shown(status, reason)
    is_failure = success is False or any(part in state for part in FAILED)
    declined = _letters(status) + (_letters(reason) if is_failure or state not in TAKEN else "")
    if any(part in declined for part in DECLINED):
        return Declined(reason=f"Retently decided against it: {words}")
    if is_failure:
        return Unknown(reason=words) if EXISTS in _letters(reason) else Rejected(reason=f"Retently said: {words}")
    if state in TAKEN or (success is True and not state):
        return Delivered()
    return Unknown(reason=f"Retently said: {words}")


def _letters(value: object) -> str:
    return "".join(filter(str.isalpha, value)).casefold() if isinstance(value, str) else ""


def shown(text: str) -> str:
    """A vendor's words for the operator: one line, cut short, without emails."""
    return _EMAIL.sub("***", " ".join(text.split()))[:LONGEST_REASON]


def _shown(*values: object) -> str:
    return shown(" ".join(value for value in values if isinstance(value, str))) or "no reason"
