"""Requests as the daemon sends them to the survey platforms, written into the logs of look-alikes that do not run."""

from typing import Any

import orjson

from npsbridge.cli.demo.asked import AskedOf
from npsbridge.cli.demo.truth import AnyAccount
from npsbridge.sandbox import (
    DelightedServer,
    PromoterServer,
    RecordedRequest,
    RetentlyServer,
    SatisMeterServer,
)

ACCOUNTS: dict[str, type[AnyAccount]] = {
    "delighted": DelightedServer,
    "retently": RetentlyServer,
    "satismeter": SatisMeterServer,
    "promoter": PromoterServer,
}


def described(platform: str, user_id: str, **traits: Any) -> dict[str, Any]:
    """The body that tells of somebody."""
    traits = {"plan": "free", "visits": 0, **traits}
    home = {"segment_user_id": user_id}
    match platform:
        case "delighted":
            return {"email": "a@example.com", "send": False, "properties": traits | home}
        case "satismeter":
            return {"project": "p", "userId": user_id, "traits": traits | home}
        case _:
            texts = {name: str(value) for name, value in traits.items()}
            return {"email": "a@example.com", "attributes": texts | home, "send": False}


def surveyed(platform: str, user_id: str, order: str) -> dict[str, Any]:
    """The body that asks for a survey."""
    home, about = {"segment_user_id": user_id}, {"order_id": order}
    match platform:
        case "delighted":
            return {"email": "a@example.com", "send": True, "properties": about | home}
        case "retently":
            labels = [{"label": label, "type": "string", "value": value} for label, value in (about | home).items()]
            return {"campaign": "c", "subscribers": [{"email": "a@example.com", "properties": labels}]}
        case "satismeter":
            return {"type": "track", "userId": user_id, "event": "Order Completed"}
        case _:
            return {"campaign_id": 78, "contact": {"email": "a@example.com", "attributes": home}, "attributes": about}


def recorded(platform: str, *bodies: dict[str, Any]) -> AskedOf:
    """What a look-alike was asked by these requests."""
    account = ACCOUNTS[platform]()
    for body in bodies:
        note(account, body)
    return AskedOf(account)


def note(account: AnyAccount, body: dict[str, Any], **more: Any) -> None:
    """A request is in the log."""
    usual: dict[str, Any] = {"method": "POST", "target": "/", "headers": {}, "at": 0.0, "status": 200}
    account.requests.add(RecordedRequest(raw=orjson.dumps(body), **(usual | more)))
