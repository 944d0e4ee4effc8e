"""Events, answers and views for the demo's tests, with every field that a test does not speak of filled in."""

import itertools
from typing import Any

from npsbridge.cli.demo.heard import AtHeap
from npsbridge.cli.demo.truth import Given
from npsbridge.cli.demo.view import Standing, View
from npsbridge.core.translate import category

_numbers = itertools.count(1)


def call(name: str, **more: Any) -> dict[str, Any]:
    """An event as a destination gets it."""
    kind = {"type": "identify"} if name == "identify" else {"type": "track", "event": name}
    return {**kind, "messageId": f"nps-{next(_numbers)}", **more}


def submitted(
    response_id: str, score: int, *, revision: int = 1, comment: str | None = None, connection: str = "delighted"
) -> dict[str, Any]:
    properties = {"response_id": response_id, "revision": revision, "score": score, "comment": comment}
    return call("Submit Survey", properties={**properties, "connection": connection, "category": category(score)})


def identified(email: str, rating: int) -> dict[str, Any]:
    return call("identify", traits={"NPS_rating": rating}, context={"traits": {"email": email}})


def given(number: str, score: int, **more: Any) -> Given:
    usual: dict[str, Any] = {"platform": "delighted", "email": f"{number}@example.com", "comment": None, "at": 0.0}
    return Given(id=number, score=score, **(usual | more))


def heap(**ratings: int) -> AtHeap:
    """One event of each person, and their rating; people by the part of their email before the @."""
    people = {f"{name}@example.com": rating for name, rating in ratings.items()}
    return AtHeap(events=dict.fromkeys(people, 1), ratings=people)


def standing(platform: str = "delighted", **changes: Any) -> Standing:
    usual: dict[str, Any] = {"words": "connected", "told": 3, "known": 4}
    return Standing(platform=platform, **(usual | changes))


def view(**changes: Any) -> View:
    usual: dict[str, Any] = {
        "standings": [standing(), standing("segment", known=None, told=5)],
        "history": 0.0,
        "calls": {"identify": 2, "Submit Survey": 3},
        "camps": {"promoter": 2, "passive": 1, "detractor": 1},
        "recognised": 0,
        "states": {"delighted": "connected"},
    }
    return View(**(usual | changes))
