"""What is so at the vendors: every answer as the look-alikes hold it, whatever the daemon has made of it.

Reads the look-alikes' ground truth; must not know what was told to anybody.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from npsbridge.core.model import Record
from npsbridge.core.translate import category
from npsbridge.sandbox import (
    DelightedServer,
    PromoterServer,
    RetentlyServer,
    Sandbox,
    SatisMeterServer,
    SurveyLookAlike,
)

AnyAccount = SurveyLookAlike[Any, Any, Any]

_MILLISECONDS = 1000


class Given(Record, frozen=True, kw_only=True):
    """An answer at a vendor, in the same words for all of them."""

    platform: str
    id: str
    email: str | None
    score: int
    comment: str | None
    at: float
    """Seconds since 1970."""


class Truth(Record, frozen=True, kw_only=True):
    """What is so at the vendors."""

    answers: Sequence[Given]
    edits: int
    """How often an answer was changed since the daemon came; of earlier edits it finds the result, not the steps."""
    opened: int
    """Surveys that were opened, where a vendor says so (Retently)."""
    closed: int
    """Surveys that were closed since the daemon came; of earlier ones no API tells (SatisMeter)."""

    @property
    def by_platform(self) -> Counter[str]:
        """How many answers each platform has."""
        return Counter(one.platform for one in self.answers)

    @property
    def camps(self) -> Counter[str]:
        """Promoters, passives and detractors."""
        return Counter(category(one.score) for one in self.answers)

    @property
    def commented(self) -> int:
        """Answers with a comment."""
        return sum(one.comment is not None for one in self.answers)

    @property
    def newest_scores(self) -> dict[str, int]:
        """By email: the score that each person gave last."""
        told = sorted(self.answers, key=lambda one: one.at)
        return {one.email: one.score for one in told if one.email is not None}

    @property
    def platforms(self) -> dict[str, str]:
        """By email: where that person answers; nobody is known to two platforms."""
        return {one.email: one.platform for one in self.answers if one.email is not None}


def all_given(sandbox: Sandbox) -> list[Given]:
    """Every answer of every survey platform."""
    return [one for account in sandbox.accounts for one in given_at(account)]


def given_at(account: AnyAccount) -> Iterator[Given]:
    """Every answer of one account; surveys that were closed or only seen are none."""
    match account:
        case DelightedServer():
            yield from _at_delighted(account)
        case RetentlyServer():
            yield from _at_retently(account)
        case SatisMeterServer():
            yield from _at_satismeter(account)
        case PromoterServer():
            yield from _at_promoter(account)


def count_at(account: AnyAccount) -> int:
    """How many answers an account has."""
    return sum(row.score is not None for row in account.responses.values())


def opened_at(account: RetentlyServer) -> int:
    """How many of the sent surveys were opened."""
    return sum(row.opened_ms is not None for row in account.account.outbox.values())


def closed_at(account: SatisMeterServer) -> int:
    """How many surveys were closed."""
    return sum(row.is_dismissed for row in account.responses.values())


def _at_delighted(account: DelightedServer) -> Iterator[Given]:
    for row in account.responses.values():
        person = account.people.get(row.person_id or "")
        yield Given(
            platform=account.kind,
            id=row.id,
            email=person.email if person else None,
            score=row.score,
            comment=row.comment,
            at=row.created_at,
        )


def _at_retently(account: RetentlyServer) -> Iterator[Given]:
    for row in account.responses.values():
        if row.score is not None:
            yield Given(
                platform=account.kind,
                id=row.id,
                email=row.email,
                score=int(row.score),
                comment=row.comment,
                at=row.created_ms / _MILLISECONDS,
            )


def _at_satismeter(account: SatisMeterServer) -> Iterator[Given]:
    for row in account.responses.values():
        if row.score is not None:
            yield Given(
                platform=account.kind,
                id=row.id,
                email=account.people[row.user].traits.get("email"),
                score=int(row.score),
                comment=row.comment,
                at=row.created / _MILLISECONDS,
            )


def _at_promoter(account: PromoterServer) -> Iterator[Given]:
    for row in account.responses.values():
        if row.score is not None:
            yield Given(
                platform=account.kind,
                id=str(row.id),
                email=row.email,
                score=row.score,
                comment=row.comment,
                at=row.posted_at,
            )
