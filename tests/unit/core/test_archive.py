"""What the columns of an archive mean, and its lines as rows."""

from datetime import UTC, datetime

import pytest

from npsbridge.core.archive import Columns, row, understand
from npsbridge.errors import BadRecord, UsageError

DAY = datetime(2026, 1, 2, tzinfo=UTC)


def columns(header: str, date_format: str | None = None, **mapping: str) -> Columns:
    return understand(header.split(","), mapping, date_format=date_format)


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Survey Response ID", "id"),
        ("NPS® Score", "score"),
        ("E-mail", "email"),
        ("Answered at (UTC)", "created_at"),
        ("followup_href", "permalink"),
        ("Customer Name", "name"),
        ("SEGMENT_USER_ID", "user_id"),
    ],
)
def test_a_header_is_recognised_however_it_is_written(header: str, field: str) -> None:
    rest = [name for name in ("score", "created_at") if name != field]
    assert columns(",".join([header, *rest])).fields[field] == 0


def test_a_mapping_goes_before_a_guess() -> None:
    found = columns("score,nps_score,date", score="nps_score")
    assert found.fields == {"score": 1, "created_at": 2}


def test_what_is_not_recognised_is_kept_as_a_property_of_the_person() -> None:
    found = row(columns("score,date,Plan,Team"), ["9", "2026-01-02", "gold", " "])
    assert found.properties == {"Plan": "gold"}


def test_a_line_becomes_a_row_with_every_field_it_fills() -> None:
    header = "id,score,date,comment,email,name,user_id,channel,tags,permalink,updated_at"
    cells = ["1", "9", "2026-01-02", " Fast ", "a@example.com", "Ana", "u1", "Email", "a, b,", "https://e.org", ""]
    found = row(columns(header), cells)
    assert (found.id, found.score, found.created_at, found.updated_at) == ("1", 9, DAY, None)
    assert (found.comment, found.tags, found.permalink) == (" Fast ", ["a", "b"], "https://e.org")
    assert (found.email, found.name, found.user_id, found.channel) == ("a@example.com", "Ana", "u1", "Email")


@pytest.mark.parametrize(
    ("text", "date_format"),
    [
        ("2026-01-02", None),
        ("2026-01-02T01:00:00+01:00", None),
        ("1767312000", None),
        ("1767312000000", None),
        ("02/01/2026", "%d/%m/%Y"),
        ("2026-01-02 01:00 +0100", "%Y-%m-%d %H:%M %z"),
    ],
)
def test_a_time_is_read_as_it_is_written(text: str, date_format: str | None) -> None:
    assert row(columns("score,date", date_format), ["9", text]).created_at == DAY


@pytest.mark.parametrize("text", ["2026-01-02", "32/01/2026", "01/01/0001 +2359", ""])
def test_a_time_that_does_not_fit_is_refused(text: str) -> None:
    form = "%d/%m/%Y %z" if "+" in text else "%d/%m/%Y"
    with pytest.raises(BadRecord, match="/created_at: is"):
        row(columns("score,date", form), ["9", text])


@pytest.mark.parametrize("date_format", ["%Q", "%d/%m/%", "dd/mm/yyyy %"])
def test_a_date_format_that_means_nothing_is_refused_before_any_line(date_format: str) -> None:
    with pytest.raises(UsageError, match="--date-format"):
        columns("score,date", date_format)
