"""How the vendor shows what it stores: v3, the old export, webhooks (their pages, and the clients that read them)."""

from typing import Any

from npsbridge.clock import Clock
from npsbridge.core.times import iso_utc
from npsbridge.sandbox.satismeter.project import DISMISSED, Project
from npsbridge.sandbox.satismeter.records import Survey, SurveyResponse, User

_QUESTIONS = {
    "nps": "How likely are you to recommend us?",
    "csat": "How satisfied are you?",
    "ces": "How easy was it?",
    "pmf": "How would you feel if you could no longer use it?",
}
_WHY = "What is the reason for your answer?"


def shown_survey(survey: Survey) -> dict[str, Any]:
    """A campaign of v3."""
    return {"id": survey.id, "name": survey.name, "type": survey.type, "state": survey.state}


def shown_v3(project: Project, response: SurveyResponse) -> dict[str, Any]:
    """A response of v3: score and comment are among the answers, and there is no completed flag."""
    user = project.users[response.user]
    return {
        "id": response.id,
        "project": project.id,
        "campaign": response.survey.id,
        "created": _iso(response.created),
        "method": response.method,
        "language": "en",
        "referrer": "https://app.example.test/home",
        "ip": None,
        "device": {"type": "desktop", "os": "macOS"},
        "location": {"country": {"code": "CZ", "name": "Czechia"}, "region": None, "city": "Prague"},
        "user": {
            "id": user.id,
            "deleted": user.is_deleted,
            "userId": user.user_id,
            "anonymousId": user.anonymous_id,
            "traits": _traits(project, response, user),
        },
        "answers": _answers(response),
    }


def shown_export(project: Project, response: SurveyResponse) -> dict[str, Any]:
    """A response of the old export."""
    user = project.users[response.user]
    traits = _traits(project, response, user)
    return {
        "id": response.id,
        "project": project.id,
        "campaign": response.survey.id,
        "created": _iso(response.created),
        **_rated(response),
        "score": response.score,
        "answers": [{"id": one["id"], "label": one["label"], "value": one["value"]} for one in _answers(response)],
        "dismissed": response.is_dismissed,
        "pending": response.is_pending,
        "method": response.method,
        "referrer": None,
        "user": {
            "id": user.id,
            "deleted": user.is_deleted,
            "userId": user.user_id,
            "name": traits.get("name"),
            "email": traits.get("email"),
            "traits": traits,
            "groups": {},
        },
    }


def shown_webhook(project: Project, event: str, response: SurveyResponse) -> dict[str, Any]:
    """The body of a webhook: flat, without campaign, and without the rating among the answers."""
    user = project.users[response.user]
    is_hidden = event == DISMISSED and not project.switches.dismissed_shows_rating
    rated = {"rating": None, "feedback": None, "category": None} if is_hidden else _rated(response)
    shown = {
        "id": response.id,
        "project": project.id,
        **rated,
        "completed": response.is_completed,
        "created": _iso(response.created),
        "method": response.method,
        "referrer": "https://app.example.test/home",
        "ip": "192.0.2.7",
        "location": {"country": "CZ", "city": "Prague", "long": "Prague, Czechia", "short": "Prague"},
        "user": {
            "name": user.traits.get("name"),
            "email": user.traits.get("email"),
            "userId": user.user_id,
            "traits": {},
        },
        "answers": [{"id": "q-why", "label": _WHY, "value": response.comment}] if response.comment else [],
    }
    return {"event": event, "response": shown}


def shown_user(project: Project, user: User) -> dict[str, Any]:
    """A user of `GET /api/users`."""
    email = user.traits.get("email")
    return {
        "project": project.id,
        "userId": user.user_id,
        "lastSeen": _iso(user.created),
        "traits": user.traits,
        "email": email,
        "name": user.traits.get("name"),
        "unsubscribed": email in project.unsubscribed,
        "created": _iso(user.created),
        "id": user.id,
    }


def _answers(response: SurveyResponse) -> list[dict[str, Any]]:
    kind = response.survey.type
    shown: list[dict[str, Any]] = []
    if kind in _QUESTIONS and response.score is not None:
        shown.append(_asked(f"q-{kind}", _QUESTIONS[kind], response.score, "scale", kind))
    if response.comment is not None:
        shown.append(_asked("q-why", _WHY, response.comment, "long-text", None))
    return [*shown, *response.more]


def _asked(number: str, label: str, value: object, kind: str, metric: str | None) -> dict[str, Any]:
    return {"id": number, "label": label, "value": value, "type": kind, "metric": metric}


def _rated(response: SurveyResponse) -> dict[str, Any]:
    return {"rating": response.score, "feedback": response.comment, "category": _category(response)}


def _category(response: SurveyResponse) -> str | None:
    score = response.score
    if response.survey.type != "nps" or not isinstance(score, int | float):
        return None
    if score >= 9:  # noqa: PLR2004 - the definition of NPS
        return "promoter"
    return "passive" if score >= 7 else "detractor"  # noqa: PLR2004 - the same


def _traits(project: Project, response: SurveyResponse, user: User) -> dict[str, Any]:
    is_of_today = project.switches.traits_of == "today" or user.is_deleted
    return user.traits if is_of_today else response.traits


def _iso(milliseconds: int) -> str:
    return iso_utc(Clock.at(milliseconds))
