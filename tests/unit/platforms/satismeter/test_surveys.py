"""What the surveys of answers are called: looked up in the project's list, seldom, never in the way of an answer."""

import pytest

from npsbridge.core.model import Campaign
from npsbridge.platforms.satismeter.parse import parse
from npsbridge.platforms.satismeter.receiver import SatisMeterReceiver
from npsbridge.platforms.satismeter.surveys import AFTER_TROUBLE, REFRESH
from npsbridge.sandbox.faults import Fault, html, status
from npsbridge.sandbox.satismeter.records import Survey
from unit.platforms.satismeter.driving import MINUTE, Bench, bench, responses
from unit.sandbox.calling import NEW_YEAR


class Names:
    """One source for all rounds, and a clock that only goes forward."""

    def __init__(self, project: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project = project
        self.source = project.source()
        self.now = 100.0
        monkeypatch.setattr(self.source._names._clock, "monotonic", lambda: self.now)

    async def of(self, number: str) -> str | None:
        """The name that an answer's survey has in the next round."""
        self.project.hands.forward(MINUTE)
        pages = [page async for page in self.source.read(None)]
        (campaign,) = {one.campaign for one in responses(pages) if one.id == number}
        assert isinstance(campaign, Campaign)
        return campaign.name

    @property
    def asked(self) -> int:
        return sum(request.path.endswith("/campaigns") for request in self.project.server.requests)


@pytest.fixture
def names(project: Bench, monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(project, monkeypatch)


def answered(names: Names, survey_type: str = "nps") -> str:
    return names.project.server.answer("ada@example.org", 9, survey_type=survey_type)


def add(names: Names, name: str) -> None:
    """Have another survey take the answers from now on."""
    survey = Survey(id="5f000000000000000000beef", name=name, type="nps")
    names.project.server.project.surveys["nps"] = survey


async def test_an_answer_has_the_name_of_its_survey_which_is_asked_for_once(names: Names) -> None:
    number = answered(names)
    for _ in range(3):
        assert await names.of(number) == "The nps survey"
    assert names.asked == 1


async def test_an_answer_that_a_webhook_told_of_has_it_as_well(project: Bench) -> None:
    number = project.server.answer("ada@example.org", 9, comment="Fast")
    told = SatisMeterReceiver(project.wiring()).hear(project.server.webhook("completed", number))
    (record,) = await project.source().look_up(told.hints)
    response = parse("satismeter", record)
    assert response.campaign == Campaign(id=project.server.project.surveys["nps"].id, name="The nps survey")
    assert response.completed


async def test_a_new_survey_is_looked_up_at_once_and_a_new_name_within_a_day(names: Names) -> None:
    await names.of(answered(names))
    add(names, "A new one")
    number = answered(names)
    assert await names.of(number) == "A new one"
    add(names, "Its new name")
    assert (await names.of(number), names.asked) == ("A new one", 2)
    names.now += REFRESH
    assert (await names.of(number), names.asked) == ("Its new name", 3)


async def test_a_survey_that_is_not_listed_is_not_asked_for_again_and_again(names: Names) -> None:
    number = answered(names)
    names.project.server.project.surveys.clear()
    for _ in range(3):
        assert await names.of(number) is None
    assert names.asked == 1


@pytest.mark.parametrize("fault", [status(403), status(503), html()], ids=["403", "503", "no list"])
async def test_where_the_list_cannot_be_read_only_the_name_is_missing(names: Names, fault: Fault) -> None:
    number = answered(names)
    names.project.server.faults.add(fault, path="/campaigns")
    for _ in range(2):
        assert await names.of(number) is None
    assert names.asked == 1
    names.now += AFTER_TROUBLE
    assert (await names.of(number), names.asked) == ("The nps survey", 2)


async def test_an_old_key_is_not_asked_for_a_list_that_it_cannot_open() -> None:
    async with bench(key_generation="old") as project:
        project.load(3, since=NEW_YEAR - MINUTE, every=1)
        campaigns = [one.campaign for one in responses(await project.read())]
        assert {one.name for one in campaigns if isinstance(one, Campaign)} == {None}
        assert not any(request.path.endswith("/campaigns") for request in project.server.requests)
