"""Reading exported answers: which column means what, and a line as an `ArchiveRow` (pure).

Headers are guessed generously, because every vendor's export calls things differently; whatever is not recognised is
kept as a property of the person.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from npsbridge.core import reading
from npsbridge.core.model import ArchiveRow, Record
from npsbridge.errors import BadRecord, UsageError

GUESSES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "response_id", "survey_response_id", "feedback_id", "answer_id"),
    "score": ("score", "nps_score", "rating", "nps", "nps_rating", "answer"),
    "comment": ("comment", "comments", "feedback", "verbatim", "nps_comment", "text", "open_answer"),
    "created_at": (
        "created_at", "created", "answered_at", "responded_at", "response_date", "submitted_at", "date",
        "timestamp", "survey_response_date", "posted_date", "created_date", "time",
    ),
    "updated_at": ("updated_at", "updated", "last_updated", "modified_at", "comment_updated_date"),
    "survey_type": ("survey_type", "metric", "metrics_type", "metricstype"),
    "permalink": ("permalink", "link", "response_url", "url", "followup_href"),
    "person_id": ("person_id", "customer_id", "contact_id", "respondent_id"),
    "user_id": ("user_id", "userid", "segment_user_id", "external_id"),
    "email": ("email", "email_address", "person_email", "customer_email", "contact_email", "e_mail"),
    "name": ("name", "full_name", "person_name", "customer_name", "contact_name"),
    "campaign_id": ("campaign_id", "survey_id"),
    "campaign_name": ("campaign_name", "campaign", "survey_name", "survey"),
    "channel": ("channel", "source", "medium", "survey_medium"),
    "tags": ("tags", "response_tags", "labels"),
}  # fmt: skip
"""Header names, squeezed, that are taken for a field, the likeliest first."""

NEEDED: Final = ("created_at", "score")

_SOME_TIME: Final = datetime(2026, 6, 30, 13, 59, 58, tzinfo=UTC)


class Columns(Record, frozen=True, kw_only=True):
    """Which column holds which field."""

    header: list[str]
    fields: dict[str, int]
    """Field to position."""
    date_format: str | None = None
    """strptime's directives; None reads ISO 8601 and epochs."""

    @property
    def named(self) -> dict[str, str]:
        """Field to the name of its column."""
        return {field: self.header[at] for field, at in self.fields.items()}

    @property
    def unnamed(self) -> list[str]:
        """The columns that hold no field."""
        taken = set(self.fields.values())
        return [name for at, name in enumerate(self.header) if at not in taken]


def understand(header: Sequence[str], mapping: Mapping[str, str], *, date_format: str | None) -> Columns:
    """Find out what the columns mean.

    Args:
        header: the first line.
        mapping: field to column name, as the operator gave it; it goes before any guess.
        date_format: how times are written.

    Raises:
        UsageError: a mapped field or column does not exist, a needed one is missing, or no time can be written so.
    """
    _check(date_format)
    squeezed = [_squeeze(name) for name in header]
    fields = {field: _position(field, column, header, squeezed) for field, column in mapping.items()}
    for field, guesses in GUESSES.items():
        found = next((squeezed.index(guess) for guess in guesses if guess in squeezed), None)
        if found is not None and field not in fields and found not in fields.values():
            fields[field] = found
    for field in NEEDED:
        if field not in fields:
            raise UsageError(
                f"no column for {field}; say which with --map {field}=COLUMN (there are {', '.join(header)})"
            )
    return Columns(header=list(header), fields=fields, date_format=date_format)


def _check(date_format: str | None) -> None:
    """A format that cannot read what it wrote itself would refuse every line."""
    try:
        if date_format is not None:
            datetime.strptime(_SOME_TIME.strftime(date_format), date_format)  # noqa: DTZ007 - its result is not used
    except ValueError as error:
        raise UsageError(f"--date-format {date_format}: write it with directives such as %d/%m/%Y %H:%M") from error


def _position(field: str, column: str, header: Sequence[str], squeezed: Sequence[str]) -> int:
    if field not in GUESSES:
        raise UsageError(f"--map {field}={column}: there is no field {field}; there are {', '.join(GUESSES)}")
    if column in header:
        return header.index(column)
    if _squeeze(column) in squeezed:
        return squeezed.index(_squeeze(column))
    raise UsageError(f"--map {field}={column}: there is no column {column}; there are {', '.join(header)}")


def _squeeze(name: str) -> str:
    """`Created At (UTC)` and `created_at` are one."""
    bare = re.sub(r"\(.*?\)", "", name).strip().lower()
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")


def row(columns: Columns, cells: Sequence[str]) -> ArchiveRow:
    """One line of the archive; where the archive has no ids, its id is made from its content.

    Raises:
        BadRecord: the line is ragged, not UTF-8, has no score, or a value is not what its field needs.
    """
    if len(cells) != len(columns.header):
        raise BadRecord("", f"has {len(cells)} columns, the header has {len(columns.header)}")
    if not is_unicode(cells):
        raise BadRecord("", "is not UTF-8")
    found = {field: cells[position].strip() for field, position in columns.fields.items() if cells[position].strip()}
    survey_type = found.get("survey_type", "nps").lower()
    score = reading.score(found.get("score"), survey_type)
    if score is None:
        raise BadRecord("/score", "is missing")
    position = columns.fields.get("comment")
    return ArchiveRow(
        id=found.get("id") or _made_up_id(cells),
        created_at=_instant(found.get("created_at"), "/created_at", columns.date_format),
        updated_at=_instant(found["updated_at"], "/updated_at", columns.date_format) if "updated_at" in found else None,
        survey_type=survey_type,
        score=score,
        comment=None if position is None else reading.text(cells[position], "/comment"),
        permalink=found.get("permalink"),
        person_id=found.get("person_id"),
        user_id=found.get("user_id"),
        email=found.get("email"),
        name=found.get("name"),
        campaign_id=found.get("campaign_id"),
        campaign_name=found.get("campaign_name"),
        channel=found.get("channel"),
        tags=[tag.strip() for tag in found["tags"].split(",") if tag.strip()] if "tags" in found else None,
        properties=_properties(columns, cells),
    )


def is_unicode(cells: Sequence[str]) -> bool:
    """Whether the cells were UTF-8: bytes that are not stand in them as surrogates."""
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


def has_own_id(columns: Columns, cells: Sequence[str]) -> bool:
    """Whether a line says its id; else it is made from its content."""
    return "id" in columns.fields and bool(cells[columns.fields["id"]].strip())


def refusal(columns: Columns, error: BadRecord) -> str:
    """Why a line is refused, in the words of its file: the name of the column, as it stands in the header."""
    name = columns.named.get(error.pointer.removeprefix("/"))
    return f"column {name}: {error.reason}" if name is not None else told(error)


def told(error: BadRecord) -> str:
    """Why a record is refused; a pointer is left out where there is none."""
    return str(error) if error.pointer else error.reason


def numbered(row: ArchiveRow, nth: int) -> ArchiveRow:
    """The row, told apart from earlier lines of the same id: the nth of them (from 1) has its own."""
    return row if nth == 1 else msgspec.structs.replace(row, id=f"{row.id}-{nth}")


def _made_up_id(cells: Sequence[str]) -> str:
    return "line-" + reading.digest("\x1f".join(cells).encode())


def _instant(value: str | None, pointer: str, date_format: str | None) -> datetime:
    if value is None:
        raise BadRecord(pointer, "is missing")
    if date_format is not None:
        try:
            parsed = datetime.strptime(value, date_format)  # noqa: DTZ007 - the next line gives it a zone
            return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        except (ValueError, OverflowError) as error:
            raise BadRecord(pointer, f"is not written as {date_format}") from error
    try:
        return reading.instant(value, pointer)
    except BadRecord as error:
        raise BadRecord(pointer, "is no ISO 8601 time; say how it is written with --date-format") from error


def _properties(columns: Columns, cells: Sequence[str]) -> dict[str, str]:
    taken = set(columns.fields.values())
    return {name: cells[at] for at, name in enumerate(columns.header) if at not in taken and cells[at].strip()}
