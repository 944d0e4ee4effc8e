"""Poll, webhook and the old export tell of one response: none of them may look like an edit of what another told."""

from typing import Any

import orjson
import pytest

from npsbridge.core.model import Response
from npsbridge.core.records import Origin, RememberedResponse
from npsbridge.core.revise import Duplicate, Revised, Verdict, revise
from npsbridge.platforms.satismeter.parse import parse
from npsbridge.sandbox.satismeter import SatisMeterServer
from npsbridge.sandbox.satismeter.views import shown_export, shown_v3, shown_webhook
from unit.sandbox.calling import Hands


def project(**switches: Any) -> SatisMeterServer:
    server = SatisMeterServer(now=Hands())
    server.change_switches(switches)
    return server


def as_v3(server: SatisMeterServer, number: str) -> Response:
    return parse("c", orjson.dumps(shown_v3(server.project, server.responses[number])))


def as_hook(server: SatisMeterServer, number: str, event: str) -> Response:
    return parse("c", orjson.dumps(shown_webhook(server.project, event, server.responses[number])))


def judged(first: Response, second: Response, origin: Origin = Origin.POLL) -> Verdict:
    return revise(RememberedResponse(response=first, revision=1), second, origin)


@pytest.mark.parametrize("event", ["completed", "dismissed"])
@pytest.mark.parametrize("is_hook_first", [True, False])
def test_f32_a_webhook_and_a_poll_of_the_same_answer_make_no_revision(event: str, *, is_hook_first: bool) -> None:
    server = project()
    server.add_person("ada@example.org", user_id="u-1", name="Ada")
    number = server.answer("u-1", 9, comment="Fast")
    told = [as_hook(server, number, event), as_v3(server, number)]
    first, second = told if is_hook_first else told[::-1]
    match judged(first, second, Origin.POLL if is_hook_first else Origin.WEBHOOK):
        case Duplicate():
            assert is_hook_first
        case Revised(revision=revision, response=merged):
            assert not is_hook_first
            assert revision == 1
            assert (merged.completed, merged.dismissed) == (event == "completed", event == "dismissed")
        case other:
            raise AssertionError(other)


def test_f32_what_the_list_adds_to_a_webhook_is_no_edit() -> None:
    server = project()
    number = server.answer("ada@example.org", 3, comment="Slow", more=({"id": "q", "label": "Use?", "value": ["API"]},))
    verdict = judged(as_hook(server, number, "dismissed"), as_v3(server, number))
    assert isinstance(verdict, Duplicate)
    assert verdict.response is not None
    assert verdict.response.campaign == as_v3(server, number).campaign
    assert verdict.response.answers == as_v3(server, number).answers
    assert verdict.response.dismissed


def test_a_changed_trait_is_no_edit_of_the_answer() -> None:
    server = project()
    number = server.answer("ada@example.org", 9)
    before = as_v3(server, number)
    server.project.set_traits("ada@example.org", plan="Gold", name="Ada Kern")
    assert isinstance(judged(before, as_v3(server, number)), Duplicate)


def test_a_deleted_user_is_no_edit_of_the_answer_and_stays_who_they_were() -> None:
    server = project()
    number = server.answer("ada@example.org", 9)
    before = as_v3(server, number)
    server.delete_person("ada@example.org")
    verdict = judged(before, as_v3(server, number))
    assert verdict == Duplicate(response=None)


def test_the_old_export_reads_like_v3() -> None:
    server = project()
    server.add_person("ada@example.org", user_id="u-1", name="Ada")
    number = server.answer("u-1", 9, comment="Fast")
    old = parse("c", orjson.dumps(shown_export(server.project, server.responses[number])))
    assert old == as_v3(server, number)


@pytest.mark.parametrize("comment", [None, "Fine"])
@pytest.mark.parametrize("score", [0, 6, 7, 10])
def test_every_nps_score_reads_the_same_in_both_shapes(score: int, comment: str | None) -> None:
    server = project()
    number = server.answer("ada@example.org", score, comment=comment)
    told, listed = as_hook(server, number, "dismissed"), as_v3(server, number)
    assert (told.survey_type, told.score, told.comment) == ("nps", score, comment)
    assert (listed.survey_type, listed.score, listed.comment) == ("nps", score, comment)


def test_a_csat_score_in_a_webhook_is_never_taken_for_nps() -> None:
    server = project()
    number = server.answer("ada@example.org", 4, survey_type="csat")
    assert (as_hook(server, number, "dismissed").survey_type, as_v3(server, number).survey_type) == ("custom", "csat")
