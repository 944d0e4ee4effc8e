"""Deleting people on request: a token for a job, the request, its state (developers.heap.io, page User Deletion).

It knows no HTTP but the status of a refusal; what is deleted is handed over.
"""

import random
import uuid
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from npsbridge.sandbox.heap.entries import Refused, identity_of, person_of

MOST_PEOPLE = 10_000


class Deletions:
    """Tokens and deletion requests of one environment.

    Args:
        now: Seconds since 1970.
        dice: Makes tokens and ids.
        delete: Forgets people.
    """

    def __init__(self, now: Callable[[], float], dice: random.Random, delete: Callable[[Sequence[str]], None]) -> None:
        self._now = now
        self._dice = dice
        self._delete = delete
        self._tokens: dict[str, float] = {}
        self._requested: dict[str, float] = {}

    def new_token(self) -> str:
        """A token that is good from now on."""
        token = f"{self._dice.getrandbits(128):032x}"
        self._tokens[token] = self._now()
        return token

    def check_token(self, token: str, life: float) -> None:
        """Raise Refused for a token that is unknown, or older than `life` seconds."""
        issued = self._tokens.get(token)
        if issued is None or self._now() - issued >= life:
            raise Refused("the token is unknown or too old", HTTPStatus.UNAUTHORIZED)

    def request(self, users: object) -> str:
        """Delete people; returns the id of the request. Raises Refused."""
        if not isinstance(users, list) or not 0 < len(users) <= MOST_PEOPLE:
            raise Refused("users: not a list of 1 to 10,000")
        if not all(isinstance(user, dict) for user in users):
            raise Refused("users: an entry is no object")
        self._delete([person_of(*identity_of(user)) for user in users])
        number = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        self._requested[number] = self._now()
        return number

    def status(self, number: str, takes: float) -> dict[str, Any]:
        """The state of a request. Raises Refused for an unknown one."""
        if number not in self._requested:
            raise Refused("no such deletion", HTTPStatus.NOT_FOUND)
        is_complete = self._now() - self._requested[number] >= takes
        return {"deletion_request_id": number, "status": "complete" if is_complete else "pending"}
