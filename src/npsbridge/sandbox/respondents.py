"""People who go on answering while a sandbox runs: new scores, and comments on those given before.

It acts in an account as people would; when they act is decided by whoever runs them.
"""

import asyncio
import random
from typing import NoReturn

from npsbridge.sandbox.delighted import DelightedServer
from npsbridge.sandbox.history import believable_comment, believable_score


class Respondents:
    """The people of an account.

    Args:
        server: The account; it must have people.
        dice: Who answers, and what.
    """

    def __init__(self, server: DelightedServer, dice: random.Random) -> None:
        self._server = server
        self._dice = dice
        self._without_comment: list[str] = []

    def answer(self) -> str:
        """Somebody gives a score; returns the id of the response."""
        person_id = self._dice.choice(list(self._server.people))
        properties = self._last_properties(person_id)
        score = believable_score(self._dice, properties.get("plan", ""))
        response_id = self._server.answer(person_id, score, person_properties=properties or None)
        self._without_comment.append(response_id)
        return response_id

    def comment(self) -> str | None:
        """The first who only gave a score writes why; returns the id of the response, None if there is nobody."""
        while self._without_comment:
            row = self._server.responses.get(self._without_comment.pop(0))
            if row is not None and row.comment is None:
                comment = believable_comment(self._dice, row.score)
                self._server.edit(row.id, comment=comment.text, tags=comment.tags)
                return row.id
        return None

    async def keep_answering(self, every: float) -> NoReturn:
        """Until cancelled, somebody does something every `every` seconds on the average."""
        while True:
            await asyncio.sleep(self._dice.uniform(every / 2, every * 3 / 2))
            if self._dice.random() < 1 / 2 or self.comment() is None:
                self.answer()

    def _last_properties(self, person_id: str) -> dict[str, str]:
        rows = [row for row in self._server.responses.values() if row.person_id == person_id]
        newest = max(rows, key=lambda row: row.created_at, default=None)
        return dict(newest.person_properties or {}) if newest else {}
