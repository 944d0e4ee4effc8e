"""What is known of the responses of a run and of their people, asked in one statement.

To ask for each by itself would wake the reading thread half a dozen times, and cost more than the answers do.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import cache
from itertools import zip_longest
from typing import Final

from npsbridge.core.people import ERASED, IdKind, PersonId
from npsbridge.core.records import Recall
from npsbridge.store import rows
from npsbridge.store.sqlite import people
from npsbridge.store.sqlite.reader import MANY, Reader

# Each row says first what it is. Of those who are suppressed only that there are any: most stores have none.
RECALL: Final = """
    SELECT 'response', content, revision, milestones, settle_at FROM responses
    WHERE response_id IN (:responses) AND connection = ?
    UNION ALL
    SELECT 'newest', person, answered_at, NULL, NULL FROM newest WHERE person IN (:people)
    UNION ALL
    SELECT 'person', value, content, NULL, NULL FROM person_ids JOIN persons USING (number)
    WHERE kind = 'email' AND value IN (:emails)
    UNION ALL
    SELECT 'erasures', value, NULL, NULL, NULL FROM facts WHERE name = 'erasures'
    UNION ALL
    SELECT 'suppressed', NULL, NULL, NULL, NULL WHERE EXISTS (SELECT 1 FROM suppressions WHERE digest > '')
"""


async def recall(
    reader: Reader,
    connection: str,
    *,
    responses: Collection[str],
    newest: Collection[str],
    emails: Collection[str],
    user_ids: Collection[str],
) -> Recall:
    """What is known of these responses, persons (by key), emails and userIds."""
    found: defaultdict[str, list[rows.Row]] = defaultdict(list)
    pieces = list(zip_longest(_pieces(responses), _pieces(newest), _pieces(emails), fillvalue=_NOTHING))
    for ids, persons, mailboxes in pieces or [(_NOTHING, _NOTHING, _NOTHING)]:
        statement = _statement(len(ids), len(persons), len(mailboxes))
        for kind, *row in await reader.rows(statement, [*ids, connection, *persons, *mailboxes]):
            found[kind].append(tuple(row))
    remembered = [rows.remembered_response(row) for row in found["response"]]
    return Recall(
        responses={one.response.id: one for one in remembered},
        newest={person: answered_at for person, answered_at, *_ in found["newest"]},
        identities={email: people.identity(email, content) for email, content, *_ in found["person"]},
        erased=await _erased(reader, emails, user_ids) if found["suppressed"] else frozenset(),
        # Of several statements the first counts: who was erased behind it may be missing above.
        erasures=int(found["erasures"][0][0]) if len(found["erasures"]) == len(pieces or [1]) else 0,
    )


_NOTHING: Final[list[str | None]] = [None]


def _pieces(values: Collection[str]) -> Iterator[list[str | None]]:
    """So many at a time, filled up to a power of two: few prepared statements serve every number of values."""
    given = list(values)
    for start in range(0, len(given), MANY):
        piece: list[str | None] = [*given[start : start + MANY]]
        yield piece + _NOTHING * ((1 << (len(piece) - 1).bit_length()) - len(piece))


@cache
def _statement(responses: int, persons: int, emails: int) -> str:
    marks = {"responses": responses, "people": persons, "emails": emails}
    statement = RECALL
    for name, count in marks.items():
        statement = statement.replace(f":{name}", ", ".join("?" * count))
    return statement


async def _erased(reader: Reader, emails: Collection[str], user_ids: Collection[str]) -> frozenset[str]:
    """Those of the emails and userIds whose persons were erased."""
    ids = [PersonId(IdKind.EMAIL, email) for email in emails] + [PersonId(IdKind.USER, one) for one in user_ids]
    found = await people.suppressed(reader, ids)
    return frozenset(one.value for one, reason in found.items() if reason == ERASED)
