"""How an account's things look from outside: the JSON of v1 and v2, and of webhooks (pure)."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from npsbridge.sandbox.promoter.account import CAMPAIGNS, Account, Contact, Feedback, News

ORGANIZATION = 50

_ECOMMERCE = {
    "feedback.added_or_changed": "survey.response_added_or_changed",
    "feedback.removed": "survey.response_removed",
    "contact.unsubscribed": "contact.unsubscribed",
}


def shown_time(second: int | None, times: Literal["padded", "unpadded"]) -> str | None:
    """ISO 8601 with a Z and without fractions; the hour perhaps without its zero."""
    if second is None:
        return None
    moment = datetime.fromtimestamp(second, UTC)
    hour = moment.hour if times == "unpadded" else f"{moment.hour:02}"
    return f"{moment:%Y-%m-%d}T{hour}:{moment:%M:%S}Z"


def shown_contact(account: Account, contact: Contact) -> dict[str, Any]:
    """A contact; it has no id of yours, and no tags."""
    return {
        "id": contact.id,
        "email": contact.email,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "created_date": shown_time(contact.created_at, account.switches.times),
        "unsubscribed": contact.unsubscribed,
        "attributes": contact.attributes,
    }


def shown_feedback(account: Account, row: Feedback, version: int, origin: str) -> dict[str, Any]:
    """A feedback as a version of the API shows it."""
    switches = account.switches
    contact = account.contacts.get((row.email or "").lower())
    link = f"{origin}/org/{ORGANIZATION}/campaign/{row.campaign}/responses/all/response/{row.id}/"
    common = {
        "id": row.id,
        "href": f"{origin}/api/feedback/{row.id}/",
        **({"followup_href": link} if switches.has_followup_href else {}),
        "score": row.score,
        "score_type": row.score_type,
        "comment": row.comment,
        "posted_date": shown_time(row.posted_at, switches.times),
        "comment_updated_date": shown_time(row.commented_at, switches.times),
        "contact": shown_contact(account, contact) if contact else None,
    }
    return common | (_only_v1(account, row) if version == 1 else _only_v2(account, row, common))


def _only_v1(account: Account, row: Feedback) -> dict[str, Any]:
    is_id = account.switches.v1_campaign == "id"
    return {"campaign": row.campaign if is_id else CAMPAIGNS.get(row.campaign, str(row.campaign))}


def _only_v2(account: Account, row: Feedback, common: dict[str, Any]) -> dict[str, Any]:
    switches = account.switches
    posted = common["posted_date"]
    if not switches.v2_has_posted_date:
        del common["posted_date"]
    return {
        "created": posted,
        "score_created": posted,
        "score_modified": shown_time(row.rescored_at, switches.times),
        "status": row.status,
        "campaign": {"id": row.campaign, "name": CAMPAIGNS.get(row.campaign, str(row.campaign))},
        "survey": {
            "sent_date": shown_time(row.survey_sent_at, switches.times),
            "attributes": row.survey_attributes,
        },
        "tags": list(row.tags) if switches.tags_are == "names" else [{"name": tag} for tag in row.tags],
    }


def hook_body(account: Account, news: News, origin: str, target: str, number: int) -> Mapping[str, Any] | None:
    """The body of a webhook in the shape that the switches say; None for news that the edition does not tell."""
    switches = account.switches
    event = news.event if switches.edition == "general" else _ECOMMERCE.get(news.event)
    if event is None:
        return None
    if isinstance(news.subject, Contact):
        data = shown_contact(account, news.subject)
    else:
        data = shown_feedback(account, news.subject, 1, origin)
    match switches.hook_shape:
        case "hook_and_data":
            return {"hook": {"id": number, "event": event, "target": target}, "data": data}
        case "event_and_data":
            return {"id": number, "event": event, "data": data}
        case "flat":
            return {"event": event, **data}
        case "bare":
            return data
