"""Puts an invented past into an account of any survey platform, as the vendor would have stored it.

Who was surveyed and what they said is the same for all; only here it is turned into what each look-alike loads.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from npsbridge.sandbox.account_server import SurveyLookAlike
from npsbridge.sandbox.delighted import DelightedServer
from npsbridge.sandbox.delighted import PastAnswer as DelightedAnswer
from npsbridge.sandbox.history import HistoricAnswer, HistoricGlance, HistoricPerson, History
from npsbridge.sandbox.promoter import PastFeedback as PromoterFeedback
from npsbridge.sandbox.promoter import PromoterServer
from npsbridge.sandbox.retently import PastFeedback as RetentlyFeedback
from npsbridge.sandbox.retently import RetentlyServer
from npsbridge.sandbox.satismeter import PastAnswer as SatisMeterAnswer
from npsbridge.sandbox.satismeter import SatisMeterServer

AnyAccount = SurveyLookAlike[Any, Any, Any]

_HALF_AN_HOUR = 1800
"""From the mail to the answer."""


def seed(account: AnyAccount, history: History) -> Sequence[Any]:
    """Put a history into an account, without webhooks; returns the ids of the responses, oldest first."""
    for person in history.people:
        _add(account, person)
    ids = load_answers(account, history.answers)
    match account:
        case RetentlyServer():
            _fill_outbox(account, history)
        case SatisMeterServer():
            for glance in history.glances:
                _dismiss(account, glance)
        case _:
            pass
    return ids


def load_answers(account: AnyAccount, answers: Iterable[HistoricAnswer]) -> Sequence[Any]:
    """Load past answers alone, without webhooks; returns the ids of the responses in the same order."""
    turned = {
        "delighted": delighted_row,
        "retently": retently_row,
        "satismeter": satismeter_row,
        "promoter": promoter_row,
    }[account.kind]
    return account.load(turned(answer) for answer in answers)


# --- people -------------------------------------------------------------------------------------------------------


def _add(account: AnyAccount, person: HistoricPerson) -> None:
    first, _, last = person.name.partition(" ")
    match account:
        case DelightedServer():
            account.add_person(person.email, name=person.name, created_at=person.created_at)
        case RetentlyServer():
            created = person.created_at * 1000
            named = {"first_name": first, "last_name": last, "properties": person.properties, "created_ms": created}
            account.account.upsert(person.email, **named)
        case SatisMeterServer():
            traits = {name: value for name, value in person.properties.items() if name != "segment_user_id"}
            account.add_person(person.email, name=person.name, user_id=_user_id(person), **traits)
        case PromoterServer():
            account.account.put_contact(
                person.email, person.properties, created_at=person.created_at, first_name=first, last_name=last
            )


def _user_id(person: HistoricPerson) -> str | None:
    return person.properties.get("segment_user_id")


# --- answers ------------------------------------------------------------------------------------------------------


def delighted_row(answer: HistoricAnswer) -> DelightedAnswer:
    """With the properties that the survey was asked with; a late comment moves `updated_at`."""
    return DelightedAnswer(
        email=answer.person.email,
        name=answer.person.name,
        score=answer.score,
        created_at=answer.answered_at,
        comment=answer.comment,
        updated_at=answer.commented_at,
        person_properties={**answer.person.properties, "Delighted Source": "Email"},
        tags=answer.tags,
    )


def retently_row(answer: HistoricAnswer) -> RetentlyFeedback:
    """With the customer's properties; a late comment leaves no trace in any time."""
    return RetentlyFeedback(
        email=answer.person.email,
        first_name=answer.person.name.partition(" ")[0],
        score=answer.score,
        created_ms=answer.answered_at * 1000,
        comment=answer.comment,
        tags=answer.tags,
        properties=dict(answer.person.properties),
    )


def satismeter_row(answer: HistoricAnswer) -> SatisMeterAnswer:
    """With a further question about the subject, for there are no tags."""
    about = {"id": "q-topic", "label": "What is it about?", "type": "multiple-choice", "metric": None}
    return SatisMeterAnswer(
        email=answer.person.email,
        name=answer.person.name,
        user_id=_user_id(answer.person),
        score=answer.score,
        created_at=answer.answered_at,
        comment=answer.comment,
        more=({**about, "value": list(answer.tags)},) if answer.tags else (),
    )


def promoter_row(answer: HistoricAnswer) -> PromoterFeedback:
    """With the contact's attributes, and those of the survey, which only v2 has."""
    return PromoterFeedback(
        email=answer.person.email,
        score=answer.score,
        posted_at=answer.answered_at,
        comment=answer.comment,
        commented_at=answer.commented_at,
        tags=answer.tags,
        attributes=dict(answer.person.properties),
        survey_attributes={"country": answer.person.properties.get("country", "")},
    )


# --- what was seen and not answered -------------------------------------------------------------------------------


def _fill_outbox(account: RetentlyServer, history: History) -> None:
    """Every answer had a survey that was opened; some surveys were only opened."""
    answered = [(answer.person.email, answer.answered_at, True) for answer in history.answers]
    seen = [(glance.person.email, glance.seen_at, False) for glance in history.glances]
    for email, second, is_answered in sorted([*answered, *seen], key=lambda row: row[1]):
        number = account.send(email, at_ms=(second - _HALF_AN_HOUR) * 1000, opened_ms=second * 1000)
        if is_answered:
            account.account.mark(number, responded_ms=second * 1000)


def _dismiss(account: SatisMeterServer, glance: HistoricGlance) -> None:
    if glance.is_closed:
        account.dismiss(glance.person.email, created_at=glance.seen_at)
