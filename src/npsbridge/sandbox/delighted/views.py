"""Puts what the account stores into the vendor's JSON objects.

Pure; it knows how things are shown, not who asks.
"""

from collections.abc import Collection
from typing import Any

from npsbridge.sandbox.delighted.account import Account, News
from npsbridge.sandbox.delighted.records import Membership, Person, SurveyRequest, SurveyResponse, Unreachable
from npsbridge.sandbox.delighted.table import permalink

EVERYTHING = frozenset({"person", "notes"})


def shown_person(account: Account, person: Person) -> dict[str, Any]:
    """An item of `GET /people`."""
    return {
        "id": person.id,
        "email": person.email,
        "name": person.name,
        "created_at": person.created_at,
        "phone_number": person.phone_number,
        "last_sent_at": person.last_sent_at,
        "last_responded_at": person.last_responded_at,
        "next_survey_scheduled_at": account.surveys.next_scheduled_at(person.id, now=account.now()),
    }


def shown_response(account: Account, row: SurveyResponse, expand: Collection[str] = ()) -> dict[str, Any]:
    """A survey response; `expand` names what is shown as objects."""
    return {
        "id": row.id,
        "person": _shown_respondent(account, row.person_id, expanded="person" in expand),
        "survey_type": row.survey_type,
        "score": row.score,
        "comment": row.comment,
        "permalink": permalink(row.id),
        "created_at": row.created_at,
        "updated_at": account.responses.visible.shown_updated_at(row),
        "person_properties": row.person_properties,
        "notes": _shown_notes(account, row, expanded="notes" in expand),
        "tags": list(row.tags),
        "additional_answers": list(row.additional_answers),
    }


def shown_unsubscribe(entry: Unreachable) -> dict[str, Any]:
    """An item of `GET /unsubscribes`."""
    return {"person_id": entry.person_id, "email": entry.email, "name": entry.name, "unsubscribed_at": entry.at}


def shown_bounce(entry: Unreachable) -> dict[str, Any]:
    """An item of `GET /bounces`."""
    return {"person_id": entry.person_id, "email": entry.email, "name": entry.name, "bounced_at": entry.at}


def shown_membership(account: Account, platform: str, membership: Membership) -> dict[str, Any]:
    """An item of Autopilot's list of members."""
    person = account.people.all[membership.person_id]
    request = account.autopilots[platform].next_request(membership.person_id)
    return {
        "created_at": membership.created_at,
        "updated_at": membership.updated_at,
        "person": shown_member(person),
        "next_survey_request": None if request is None else _shown_request(request),
    }


def shown_member(person: Person) -> dict[str, Any]:
    """The person of a membership."""
    return {
        "id": person.id,
        "name": person.name,
        "email": person.email,
        "created_at": person.created_at,
        "phone_number": person.phone_number,
        "last_sent_at": person.last_sent_at,
    }


def shown_news(account: Account, news: News) -> dict[str, Any]:
    """The `event_data` of a webhook: the whole response with its person expanded, or who unsubscribed."""
    if isinstance(news.subject, SurveyResponse):
        return shown_response(account, news.subject, EVERYTHING)
    entry = shown_unsubscribe(news.subject)
    if account.switches.unsubscribe_event == "flat":
        return entry
    person = {"id": entry["person_id"], "email": entry["email"], "name": entry["name"]}
    return {"person": person, "unsubscribed_at": entry["unsubscribed_at"]}


def _shown_respondent(account: Account, person_id: str | None, *, expanded: bool) -> dict[str, Any] | str | None:
    person = account.people.find(person_id)
    if person is None or not expanded:
        return None if person is None else person.id
    if account.switches.expanded_person == "full":
        return shown_person(account, person)
    return {"id": person.id, "email": person.email, "name": person.name, "created_at": person.created_at}


def _shown_notes(account: Account, row: SurveyResponse, *, expanded: bool) -> list[Any]:
    if not expanded and account.switches.notes_without_expand == "ids":
        return [note.id for note in row.notes]
    return [
        {"id": note.id, "text": note.text, "user_email": note.user_email, "created_at": note.created_at}
        for note in row.notes
    ]


def _shown_request(request: SurveyRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "created_at": request.asked_at,
        "survey_scheduled_at": request.scheduled_at,
        "properties": request.properties,
    }
