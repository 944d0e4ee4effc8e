"""Puts what the account stores into the vendor's JSON objects.

Pure; it knows how things are shown, not who asks. Field names: retently.com/api and the public sources of clients.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from npsbridge.sandbox.retently.account import Account
from npsbridge.sandbox.retently.records import Campaign, Customer, Feedback, SentSurvey

TYPES = {str: "text", int: "integer", bool: "boolean", list: "collection"}
PROMOTER_FROM, PASSIVE_FROM = 9, 7


def iso(milliseconds: int | None) -> str | None:
    """ISO 8601 in UTC with milliseconds and Z."""
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown_customer(customer: Customer) -> dict[str, Any]:
    """A row of `/customers`."""
    return {
        "id": customer.id,
        "email": customer.email,
        "firstName": customer.first_name,
        "lastName": customer.last_name,
        "companyName": customer.company,
        "companyId": None,
        "tags": list(customer.tags),
        "createdDate": iso(customer.created_ms),
        "properties": [
            {"label": label, "name": name_of(label), "type": _type(value), "value": _text(value)}
            for label, value in customer.properties.items()
        ],
    }


def name_of(label: str) -> str:
    """What the server makes of a property's label."""
    return label.strip().lower().replace(" ", "_")


def shown_feedback(account: Account, row: Feedback) -> dict[str, Any]:
    """A row of `/feedback`: the customer is told in flat fields, there is no permalink and no time of change."""
    customer = account.customers.get(row.customer_id or "")
    campaign = account.campaigns.get(row.campaign_id or "")
    shown: dict[str, Any] = {
        "id": row.id,
        "customerId": row.customer_id,
        "email": row.email,
        "firstName": customer.first_name if customer else None,
        "lastName": customer.last_name if customer else None,
        "companyName": customer.company if customer else None,
        "companyId": None,
        "jobTitle": None,
        "country": None,
        "state": None,
        "city": None,
        "tags": list(customer.tags) if customer else [],
        "customProps": _props(row.properties),
        "campaignId": row.campaign_id,
        "campaignName": campaign.name if campaign else None,
        "createdDate": iso(row.created_ms),
        "score": row.score,
        "comment": row.comment,
        "checkbox": None,
        "additionalQuestions": list(row.answers),
        "feedbackTopics": list(row.topics),
        "feedbackTags": [],
        "feedbackTagsNew": list(row.tags),
        "notes": [],
        "status": None,
        "assigned": None,
        "ratingCategory": _category(row.score) if row.metric == "nps" else None,
        "resolved": False,
        "channel": row.channel,
        "metricsType": row.metric.upper() if account.switches.metrics_type == "upper" else row.metric,
        "isBogus": False,
    }
    if row.comment is None and account.switches.missing_comment != "null":
        shown["comment"] = ""
        if account.switches.missing_comment == "absent":
            del shown["comment"]
    return shown


def shown_sent_survey(account: Account, row: SentSurvey) -> dict[str, Any]:
    """A row of `/outbox`; it does not say what is measured."""
    customer = account.customers.get(row.customer_id or "")
    campaign = account.campaigns.get(row.campaign_id)
    props = [{**prop, "label": prop["name"]} for prop in _props(customer.properties if customer else {})]
    return {
        "email": row.email,
        "customerId": row.customer_id,
        "firstName": customer.first_name if customer else None,
        "lastName": customer.last_name if customer else None,
        "companyName": customer.company if customer else None,
        "companyId": None,
        "sentDate": iso(row.sent_ms),
        "channel": row.channel,
        "personTags": list(customer.tags) if customer else [],
        "campaign": campaign.name if campaign else None,
        "campaignId": row.campaign_id,
        "surveyTemplateId": "a" * 24,
        "subject": "How likely are you to recommend us?",
        "sentBy": "api",
        "status": "sent",
        "attributes": {"customerTags": [], "customProps": props},
        "mandrillMessageId": row.id * 2 if account.switches.message_ids else None,
        "additionalRecipients": [],
        "detailedStatus": {
            "isOpened": row.opened_ms is not None,
            "openedDate": iso(row.opened_ms),
            "isResponded": row.responded_ms is not None,
            "respondedDate": iso(row.responded_ms),
            "hasFeedback": False,
            "isOptedOut": row.is_opted_out,
            "isBounced": row.is_bounced,
        },
    }


def shown_campaign(campaign: Campaign) -> dict[str, Any]:
    """A row of `/campaigns`."""
    return {
        "id": campaign.id,
        "name": campaign.name,
        "isActive": campaign.is_active,
        "templateId": "a" * 24,
        "metric": campaign.metric,
        "type": campaign.type,
        "channel": "email",
    }


def shown_score(rows: Iterable[Feedback], metric: str) -> dict[str, Any]:
    """The answer of `/{metric}/score`: percentages, and counts beside them."""
    scores = [row.score for row in rows if row.metric == metric and row.score is not None]
    count = Counter(_category(score) for score in scores)
    shares = {name: round(100 * count[name] / len(scores)) if scores else 0 for name in CATEGORIES}
    return {
        "score": shares["promoter"] - shares["detractor"],
        "scoreSum": sum(scores),
        "metricsType": metric,
        **{f"{name}s": shares[name] for name in CATEGORIES},
        **{f"{name}sCount": count[name] for name in CATEGORIES},
        "totalResponses": len(scores),
        "ratingDistribution": {str(rating): scores.count(rating) for rating in range(11)},
    }


CATEGORIES = ("promoter", "passive", "detractor")


def _category(score: float | None) -> str | None:
    if score is None:
        return None
    if score >= PROMOTER_FROM:
        return "promoter"
    return "passive" if score >= PASSIVE_FROM else "detractor"


def _props(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name_of(name), "type": _type(value), "value": value} for name, value in properties.items()]


def _type(value: object) -> str:
    return TYPES.get(type(value), "text")


def _text(value: object) -> object:
    return value if isinstance(value, str) or value is None else str(value)
