"""Events, responses and views for the demo's tests, with every field that a test does not speak of filled in."""

import itertools
from typing import Any

from npsbridge.cli.demo.view import View
from npsbridge.core.translate import category
from npsbridge.sandbox import SurveyResponse

_numbers = itertools.count(1)


def call(name: str, **more: Any) -> dict[str, Any]:
    """An event as a destination gets it."""
    kind = {"type": "identify"} if name == "identify" else {"type": "track", "event": name}
    return {**kind, "messageId": f"nps-{next(_numbers)}", **more}


def submitted(response_id: str, score: int, *, revision: int = 1, comment: str | None = None) -> dict[str, Any]:
    properties = {"response_id": response_id, "revision": revision, "score": score, "comment": comment}
    return call("Submit Survey", properties={**properties, "category": category(score)})


def identified(email: str, rating: int) -> dict[str, Any]:
    return call("identify", traits={"NPS_rating": rating}, context={"traits": {"email": email}})


def row(number: str, score: int, *, at: int = 0, **more: Any) -> SurveyResponse:
    return SurveyResponse(id=number, score=score, created_at=at, updated_at=at, **{"person_id": f"p{number}", **more})


def view(**changes: Any) -> View:
    given: dict[str, Any] = {
        "read": 0,
        "progress": None,
        "calls": {"identify": 2, "Submit Survey": 3},
        "camps": {"promoter": 2, "passive": 1, "detractor": 1},
        "owed": 0,
        "recognised": 0,
        "health": {"delighted pull": "connected"},
    }
    return View(**(given | changes))
