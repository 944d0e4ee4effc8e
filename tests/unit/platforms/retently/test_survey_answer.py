"""What an answer with a good status means for each person it is about."""

from typing import Any

import orjson
import pytest

from npsbridge.core.outcome import Declined, Delivered, Outcome, Rejected, Unknown
from npsbridge.platforms.retently.survey_answer import outcomes

ANA, BEN, EVA = "ana@example.org", "ben@example.org", "eva@example.org"


def judged(answer: object, *emails: str) -> list[Outcome]:
    return outcomes(orjson.dumps(answer), emails or (ANA,))


def of_row(**row: Any) -> Outcome:
    [found] = judged({"code": 200, "data": {ANA: row}})
    return found


@pytest.mark.parametrize(
    "answer",
    [
        {"message": "Success.", "code": 200, "success": True, "status": "queued", "data": None},
        {"message": "Success.", "code": 200, "data": {"success": True, "status": "queued"}},
        {"message": "Success.", "code": 200, "data": None},
        {"success": True, "status": None},
        {"status": "Scheduled"},
        {"code": 200, "success": True, "data": {"campaign": {"id": "c1"}}},
        {"status": 200},
    ],
    ids=str,
)
def test_an_answer_that_says_yes_says_it_to_all(answer: dict[str, Any]) -> None:
    assert judged(answer, ANA, BEN) == [Delivered(), Delivered()]


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"7", b"<html></html>", b'{"message": "Succ', b"{}", b'{"data":{}}', b"\xff", b"[" * 9999],
    ids=repr,
)
def test_f26_an_answer_that_says_nothing_is_neither_yes_nor_no(body: bytes) -> None:
    [found] = outcomes(body, [ANA])
    assert isinstance(found, Unknown)


@pytest.mark.parametrize(
    "answer", [{"status": 500, "message": "x"}, {"code": 401, "data": None, "success": True}], ids=str
)
def test_f26_an_error_inside_a_good_status_is_neither_yes_nor_no(answer: dict[str, Any]) -> None:
    [found] = judged(answer)
    assert isinstance(found, Unknown)
    assert "inside" in found.reason


def test_a_no_to_one_person_is_final() -> None:
    assert judged({"code": 200, "success": False, "message": "Limit reached"}) == [
        Rejected(reason="Retently said: Limit reached")
    ]


def test_a_no_to_several_at_once_does_not_say_to_whom() -> None:
    found = judged({"code": 200, "success": False, "message": "Limit reached"}, ANA, BEN)
    assert all(isinstance(one, Unknown) and "Limit reached" in one.reason for one in found)


# --- by row -----------------------------------------------------------------------------------------------------

ROWS = {
    ANA: {"status": "created", "id": "66b0c1d2e3f4a5b6c7d8e9f0"},
    BEN: {"status": "failed", "reason": "unsubscribed"},
    EVA: {"status": "failed", "reason": "invalid email"},
}


@pytest.mark.parametrize(
    "data",
    [
        ROWS,
        {email.upper(): row for email, row in ROWS.items()},
        [{"email": email, **row} for email, row in ROWS.items()],
        {"subscribers": [{"email": email, **row} for email, row in ROWS.items()]},
        {"results": [{"email": email, **row} for email, row in reversed(ROWS.items())]},
    ],
    ids=["map", "upper case", "list", "subscribers", "results"],
)
def test_each_person_has_their_own_result_wherever_it_stands(data: object) -> None:
    assert judged({"message": "Success.", "code": 200, "success": True, "data": data}, ANA, BEN, EVA) == [
        Delivered(),
        Declined(reason="Retently decided against it: failed unsubscribed"),
        Rejected(reason="Retently said: failed invalid email"),
    ]


@pytest.mark.parametrize(
    "row",
    [
        {"status": "failed", "reason": "Customer has opted-out"},
        {"status": "throttled"},
        {"success": False, "message": "Suppressed"},
        {"status": "skipped", "reason": "already surveyed"},
        {"status": "failed", "error": "not eligible"},
        {"status": "failed", "reason": "Not in the sample"},
        {"status": "bounced"},
    ],
    ids=str,
)
def test_what_the_vendor_decides_against_is_final_and_no_error(row: dict[str, Any]) -> None:
    assert isinstance(of_row(**row), Declined)


@pytest.mark.parametrize("row", [{"status": "updated", "reason": "was throttled before"}, {"success": True}], ids=str)
def test_a_yes_is_one_whatever_the_words_beside_it(row: dict[str, Any]) -> None:
    assert of_row(**row) == Delivered()


@pytest.mark.parametrize(
    "row",
    [{"status": "failed", "reason": "exists"}, {"status": "perhaps"}, {"success": True, "status": "perhaps"}, {}],
    ids=str,
)
def test_words_that_leave_it_open_leave_it_open(row: dict[str, Any]) -> None:
    assert isinstance(of_row(**row), Unknown)


def test_who_is_not_in_the_answer_is_in_doubt() -> None:
    assert judged({"code": 200, "data": {ANA: {"status": "created"}}}, ANA, BEN) == [
        Delivered(),
        Unknown(reason="the answer says nothing of this person"),
    ]


def test_i19_the_vendor_s_words_are_told_without_emails_and_cut_short() -> None:
    found = of_row(status="failed", reason=f"{ANA} is broken\n" + "x" * 500)
    assert isinstance(found, Rejected)
    assert "ana" not in found.reason
    assert len(found.reason) < 200
