"""People who go on answering while a sandbox runs: new scores, and comments on those given before.

It acts in accounts as people would; when they act is decided by whoever runs them.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, NoReturn

from npsbridge.sandbox.account_server import SurveyLookAlike
from npsbridge.sandbox.history import believable_comment, believable_score


class Respondents:
    """The people of some accounts.

    Args:
        accounts: Of any survey platform; who has no email takes no part.
        dice: Who answers, where, and what.
    """

    def __init__(self, accounts: Sequence[SurveyLookAlike[Any, Any, Any]], dice: random.Random) -> None:
        self._accounts = accounts
        self._dice = dice
        self._without_comment: list[tuple[SurveyLookAlike[Any, Any, Any], Any]] = []

    @property
    def are_there(self) -> bool:
        """Whether there is anybody."""
        return any(account.emails for account in self._accounts)

    def answer(self, account: SurveyLookAlike[Any, Any, Any] | None = None) -> Any:
        """Somebody gives a score, in one account or in any of them; returns the id of the response."""
        account = account or self._dice.choice([one for one in self._accounts if one.emails])
        email = self._dice.choice(account.emails)
        properties = account.properties_of(email)
        score = believable_score(self._dice, str(properties.get("plan", "")))
        response_id = account.answer_again(email, score)
        self._without_comment.append((account, response_id))
        return response_id

    def comment(self) -> Any:
        """The first who only gave a score writes why; returns the id of the response, None if there is nobody."""
        while self._without_comment:
            account, response_id = self._without_comment.pop(0)
            row = account.responses.get(response_id)
            if row is not None and row.comment is None:
                comment = believable_comment(self._dice, row.score)
                account.edit(response_id, comment=comment.text, **({"tags": comment.tags} if account.has_tags else {}))
                return response_id
        return None

    async def keep_answering(self, every: float) -> NoReturn:
        """Until cancelled, somebody does something every `every` seconds on the average."""
        while True:
            await asyncio.sleep(self._dice.uniform(every / 2, every * 3 / 2))
            if self._dice.random() < 1 / 2 or self.comment() is None:
                self.answer()
