"""Loads real survey answers from a CSV into the look-alike of Delighted, through its API, with the official client.

The file is not part of the project; `NPS_VERBATIMS` names it. Columns: row, answered_at (day/month/year
hour:minute, taken as UTC), stage, score, comment. Rows without a score are left out.
"""

import csv
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from clients.conftest import give_up, imported


class Verbatim(NamedTuple):
    """One real answer."""

    row: int
    answered_at: datetime
    stage: str
    score: int
    comment: str | None

    @property
    def email(self) -> str:
        """The file names nobody; everybody answered once."""
        return f"row-{self.row}@verbatims.example"


def verbatims_path() -> Path:
    """The file that `NPS_VERBATIMS` names; skips the test if there is none, or fails it (see conftest)."""
    named = os.environ.get("NPS_VERBATIMS")
    if not named or not Path(named).is_file():
        give_up("NPS_VERBATIMS does not name a file of survey answers")
    return Path(named)


def read_verbatims(path: Path) -> Iterator[Verbatim]:
    """The scored answers, in the order of the file."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["score"]:
                yield Verbatim(
                    row=int(row["row"]),
                    answered_at=datetime.strptime(row["answered_at"], "%d/%m/%Y %H:%M").replace(tzinfo=UTC),
                    stage=row["stage"],
                    score=int(row["score"]),
                    comment=row["comment"] or None,
                )


def load_verbatims(path: Path, *, base_url: str, api_key: str) -> dict[str, Verbatim]:
    """Create every person and every answer of the file through the API; returns the answers by response id.

    It blocks: call it in a thread where a server runs in the event loop.

    Args:
        path: The file.
        base_url: Of the API, with `/v1`.
        api_key: The project's key.
    """
    delighted = imported("delighted")
    with imported("requests").Session() as session:
        client = delighted.Client(
            api_key=api_key, api_base_url=f"{base_url}/", http_adapter=_on_one_connection(delighted, session)
        )
        return {_load(delighted, client, verbatim): verbatim for verbatim in read_verbatims(path)}


def _load(delighted: Any, client: Any, verbatim: Verbatim) -> str:
    person = delighted.Person.create(client=client, email=verbatim.email, send=False)
    response = delighted.SurveyResponse.create(
        client=client,
        person=person.id,
        score=verbatim.score,
        comment=verbatim.comment,
        created_at=int(verbatim.answered_at.timestamp()),
        person_properties={"stage": verbatim.stage, "row": verbatim.row},
    )
    return str(response.id)


def _on_one_connection(delighted: Any, session: Any) -> Any:
    """The client's own adapter opens a connection for every request; this one keeps one open."""

    class OneConnection(delighted.HTTPAdapter):  # type: ignore[misc] # the client has no types
        def request(self, method: str, uri: str, headers: Any = None, data: Any = None, params: Any = None) -> Any:
            answer = session.request(method, uri, headers=headers, data=data, params=params)
            return delighted.http_response.HTTPResponse(answer.status_code, answer.headers, answer.text, answer.links)

    return OneConnection()
