"""Bad input: each record of a table becomes a response, or is on the shelf with a reason; none vanishes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from contract.platforms.account import Account, Raw
from contract.platforms.bench import HOUR, Bench, bench
from contract.platforms.contract import Contract
from end_to_end.harness import Call, dead, until
from npsbridge.app import App
from npsbridge.core.model import Delivery
from npsbridge.sandbox import Answer

SHELVED: Final = "on the shelf"
AT: Final = 1_775_000_000
AT_ISO: Final = "2026-03-31T23:33:20.000Z"

SCORES: Final[Mapping[str, tuple[Any, Any]]] = {
    "eleven": (11, SHELVED),
    "minus one": (-1, SHELVED),
    "nine as text": ("9", 9),
    "nine as a float": (9.0, 9),
    "zero": (0, 0),
    "null": (None, None),
    "true": (True, SHELVED),
    "a half": (8.5, SHELVED),
    "a word": ("nine", SHELVED),
    "a list": ([9], SHELVED),
    "huge": (10**30, SHELVED),
}
TIMES: Final[Mapping[str, tuple[Any, Any]]] = {
    "epoch seconds": (AT, AT_ISO),
    "epoch milliseconds": (AT * 1000, AT_ISO),
    "iso with z": ("2026-03-31T23:33:20Z", AT_ISO),
    "iso with fractions": ("2026-03-31T23:33:20.000Z", AT_ISO),
    "iso with an offset": ("2026-04-01T01:33:20+02:00", AT_ISO),
    "iso without a zone": ("2026-03-31T23:33:20", AT_ISO),
    "a word": ("yesterday", SHELVED),
    "null": (None, SHELVED),
    "true": (True, SHELVED),
    "beyond all years": (10**18, SHELVED),
}
PEOPLE: Final[Mapping[str, tuple[Any, Any, Any]]] = {
    "email and id": ("ana@example.org", "p-1", "ana@example.org"),
    "no id": ("ben@example.org", None, "ben@example.org"),
    "no email": (None, "p-2", None),
    "neither": (None, None, None),
    "an empty email": ("", "p-3", None),
    "an email in capitals": ("EVA@EXAMPLE.ORG", "p-4", "eva@example.org"),
    "an email with a plus": ("eva+nps@example.org", "p-5", "eva+nps@example.org"),
    "no email at all": ("not an email", "p-6", None),
}


def raws(both: Bench, field: str, values: Mapping[str, Any]) -> list[Raw]:
    """A record for each value of a field, all else as it should be."""
    at = both.second() - 60
    return [
        Raw(**{"case": case, "number": str(7_000_000 + number), "at": at, field: value})
        for number, (case, value) in enumerate(values.items())
    ]


async def read(both: Bench, app: App, raws: Sequence[Raw], *others: object) -> dict[str, Call | Delivery]:
    """Let one page bring these records, and wait until something became of each; what did, by case."""
    account = both.account
    page = page_of(account, *[account.record(raw) for raw in raws], *others)
    account.server.faults.add(page, path=account.lists)
    await until(lambda: not account.server.faults.pending, within=HOUR)
    await both.another_round(app)
    shelf = await dead(app)
    became: dict[str, Call | Delivery] = {}
    for raw in raws:
        told = [call for call in both.said() if call.get("properties", {}).get("comment") == raw.text]
        mark = raw.case if raw.number is None else str(raw.number)
        shelved = [item for item in shelf if mark.encode() in item.body]
        assert len([call for call in told if call["event"] == "Submit Survey"]) + len(shelved) == 1, raw.case
        became[raw.case] = (shelved or told)[0]
    return became


def told_as(what: Call | Delivery, name: str) -> Any:
    """A property of what was told; or that it was shelved, with a reason that points to the place."""
    if isinstance(what, Delivery):
        assert what.kind == "record"
        assert str(what.reason).startswith("/")
        return SHELVED
    return what["properties"][name]


class Records(Contract):
    """One page of records in every state."""

    async def test_f34_a_score_is_a_whole_number_from_0_to_10_or_none(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            became = await read(both, app, raws(both, "score", {case: given for case, (given, _) in SCORES.items()}))
        assert {case: told_as(what, "score") for case, what in became.items()} == {
            case: expected for case, (_, expected) in SCORES.items()
        }

    async def test_f16_every_way_to_write_a_time_is_understood_or_refused(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            became = await read(both, app, raws(both, "at", {case: given for case, (given, _) in TIMES.items()}))
        assert {case: told_as(what, "created_at") for case, what in became.items()} == {
            case: expected for case, (_, expected) in TIMES.items()
        }

    async def test_f33_a_person_is_told_of_as_far_as_they_are_known(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            given = [
                Raw(case=case, number=str(7_100_000 + number), at=both.second() - 60, email=email, person=person)
                for number, (case, (email, person, _)) in enumerate(PEOPLE.items())
            ]
            became = await read(both, app, given)
        calls = {case: call for case, call in became.items() if isinstance(call, dict)}
        assert {case: call["context"].get("traits", {}).get("email") for case, call in calls.items()} == {
            case: expected for case, (_, _, expected) in PEOPLE.items()
        }
        assert len({call["anonymousId"] for call in calls.values()}) == len(PEOPLE)

    async def test_f34_an_unknown_kind_of_survey_is_told_under_its_own_name(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            raw = Raw(case="of another kind", number="7200000", at=both.second() - 60, score=4, survey_type="Thumbs")
            became = await read(both, app, [raw])
        kind = "thumbs" if self.account.knows_survey_types else "nps"
        assert told_as(became[raw.case], "survey_type") == kind

    async def test_f34_unknown_fields_are_no_obstacle(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            more = {"brand_new": {"deep": [1, None]}, "": 1}
            raw = Raw(case="with more", number="7300000", at=both.second() - 60, more=more)
            became = await read(both, app, [raw])
        assert told_as(became[raw.case], "score") == 9

    async def test_i3_records_that_are_none_are_shelved_and_the_others_of_the_page_are_told(
        self, tmp_path: Path
    ) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            good = Raw(case="a good one", number="7400000", at=both.second() - 60)
            nameless = Raw(case="one without an id", number=None, at=both.second() - 60)
            became = await read(both, app, [good, nameless], 42, "text", None, [], {})
            shelf = await dead(app)
        assert told_as(became["a good one"], "response_id") == "7400000"
        assert told_as(became["one without an id"], "response_id") == SHELVED
        assert len(shelf) == 6
        assert all(item.reason for item in shelf)

    async def test_f33_a_field_that_is_left_out_means_the_same_as_null(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            raw = Raw(case="bare", number="7600000", at=both.second() - 60, email=None, person=None)
            account = both.account
            bare = without_nulls(account.record(raw))
            for record in (bare, account.record(raw), bare):
                account.server.faults.add(page_of(account, record), path=account.lists)
                await until(lambda: not account.server.faults.pending, within=HOUR)
                await both.another_round(app)
            assert both.revisions("7600000") == [1]
            assert await dead(app) == []

    async def test_i15_a_comment_of_100_kb_with_nul_and_emoji_is_told_as_far_as_it_fits(self, tmp_path: Path) -> None:
        async with bench(tmp_path, self.account) as both, both.daemon() as app:
            await both.read_whole(app)
            raw = Raw(case="", number="7500000", at=both.second() - 60, comment="Too\0 long 🙂 " * 8000)
            both.account.server.faults.add(page_of(both.account, both.account.record(raw)), path=both.account.lists)
            await both.all_told(["7500000"])
            properties = both.submission("7500000")["properties"]
        assert properties["comment_truncated"] is True
        assert properties["comment"].replace("\0", "").startswith("Too long 🙂 Too long 🙂")


def page_of(account: Account, *records: object) -> Answer:
    """A page that brings just these records."""
    return Answer(headers={"Content-Type": "application/json"}, body=account.page(list(records)))


def without_nulls(value: object) -> object:
    """The same without the fields that are null."""
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    return [without_nulls(member) for member in value] if isinstance(value, list) else value
