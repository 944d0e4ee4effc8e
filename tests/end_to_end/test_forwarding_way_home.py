"""The answer to a survey that we triggered is told to Segment under the userId that triggered it.

Who asks and who hears are two daemons with stores of their own, so that nothing but what came back can say who it is.
"""

from pathlib import Path

import pytest

from end_to_end.harness import Call, until
from end_to_end.outbound import ACTIVATION, HOUR, INVITATION, PURCHASE, REPORT, Outbound, outbound
from stores import store_url

pytestmark = pytest.mark.looptime(noop_cycles=8)

TRIGGERS = {"delighted": PURCHASE, "retently": ACTIVATION, "satismeter": REPORT, "promoter": INVITATION}


async def triggered(line: Outbound, name: str, user_id: str | None = "u1", anonymous_id: str | None = None) -> None:
    """Somebody is surveyed by one vendor because of what they did."""
    async with line.daemon() as app:
        email = "ana@example.org"
        identify = line.identify(user_id, anonymous_id=anonymous_id, email=email)
        await line.tell(app, identify, line.track(user_id, TRIGGERS[name], anonymous_id=anonymous_id, email=email))


async def heard(line: Outbound, name: str, *, elsewhere: bool = True) -> list[Call]:
    """What Segment is told of the answers at one vendor, by a daemon that knows of nobody if it is elsewhere."""
    store = store_url(line.folder, "elsewhere") if elsewhere else line.environment["STORE_URL"]
    async with line.daemon(STORE_URL=store, **{f"{name.upper()}__PULL": "true"}) as app:
        await until(lambda: len(line.said()) >= 4, within=HOUR, look_every=1.0)
        await line.rests(app)
    return line.said()


def assert_told_of(calls: list[Call], **identity: str) -> None:
    """All four calls of an answer with a comment are about one person."""
    assert [call.get("event", "identify") for call in calls] == [
        "identify",
        "Submit Survey",
        "Answered NPS Survey",
        "Completed NPS Survey",
    ]
    ids = [{name: call[name] for name in ("userId", "anonymousId") if name in call} for call in calls]
    assert ids == [identity] * 4
    assert {call["context"]["traits"]["email"] for call in calls} == {"ana@example.org"}


@pytest.mark.parametrize("name", TRIGGERS)
async def test_an_answer_comes_home_under_the_user_id_that_triggered_its_survey(tmp_path: Path, name: str) -> None:
    async with outbound(tmp_path) as line:
        await triggered(line, name)
        line.vendors[name].answer("ana@example.org", 9, comment="Fine")
        assert_told_of(await heard(line, name), userId="u1")


@pytest.mark.parametrize("name", ["delighted", "retently"])
async def test_an_answer_of_an_anonymous_visitor_comes_home_under_their_anonymous_id(tmp_path: Path, name: str) -> None:
    async with outbound(tmp_path) as line:
        await triggered(line, name, None, "a1")
        line.vendors[name].answer("ana@example.org", 9, comment="Fine")
        assert_told_of(await heard(line, name), anonymousId="a1")


@pytest.mark.parametrize("name", TRIGGERS)
async def test_an_answer_that_brings_no_id_back_is_known_by_its_email(tmp_path: Path, name: str) -> None:
    """Of somebody whom an identify told us of, and whom the vendor surveyed by itself."""
    off = {f"{vendor.upper()}__FORWARD": "false" for vendor in TRIGGERS if vendor != "retently"}
    async with outbound(tmp_path, **off) as line:
        async with line.daemon() as app:
            await line.tell(app, line.identify("u1", email="ana@example.org"))
        line.vendors[name].answer("ana@example.org", 9, comment="Fine")
        assert_told_of(await heard(line, name, elsewhere=False), userId="u1")


async def test_the_event_that_triggered_the_survey_comes_home_with_the_answer(tmp_path: Path) -> None:
    async with outbound(tmp_path) as line:
        await triggered(line, "promoter")
        line.promoter.answer("ana@example.org", 9, comment="Fine")
        submitted = (await heard(line, "promoter"))[1]
    assert submitted["properties"]["person_properties"]["segment_user_id"] == "u1"
