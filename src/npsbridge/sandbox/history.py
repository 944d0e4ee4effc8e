"""A past that looks like a real one: people, their scores, and the comments that most of them add a while later.

Pure; the same dice give the same history. It knows no vendor; `seeding` puts a history into an account.
"""

import random
from datetime import datetime

import msgspec

from npsbridge.core.model import Record
from npsbridge.core.translate import category

DAY = 86400
_YEAR = 365.25 * DAY
_SURVEY_EVERY = 90 * DAY
_ANSWERING_SHARE = 0.55
_COMMENTING_SHARE = 0.72
_KNOWN_TO_SEGMENT_SHARE = 0.7
_SILENT_SHARE = 0.3
_CLOSING_SHARE = 0.5

_NAMES = (
    "Ana Novak",
    "Ben Adeyemi",
    "Chloé Dubois",
    "Dmitri Costa",
    "Elif Haddad",
    "Farid Ito",
    "Greta Lindqvist",
    "Hugo Moreau",
    "Inés García",
    "Jonas Bauer",
    "Kaori Tanaka",
    "Lena Fischer",
    "Mateo Kowalski",
    "Nadia Jansen",
    "Olu Eriksen",
    "Priya Raman",
)
_PLAIN_LETTERS = str.maketrans("éí", "ei")
_COUNTRIES = ("DE", "FR", "GB", "JP", "NG", "PL", "SE", "US")
# How content the people of each plan are on the average.
_MOODS = {"free": 7.6, "team": 8.8, "business": 9.2}
_ANGRY_SHARE = 0.08

_THINGS = {
    "reporting": "the reporting",
    "onboarding": "the onboarding",
    "mobile": "the mobile app",
    "support": "the support",
    "integrations": "the Slack integration",
    "export": "the export",
    "billing": "the pricing",
    "search": "the search",
    "api": "the API",
}
_OPINIONS = {
    "promoter": (
        "{Thing} just works, every single day.",
        "We moved the whole team over because of {thing}.",
        "Love how quick {thing} has become.",
        "{Thing} saves me an hour a week 🎉",
        "Honestly the best we tried, {thing} above all.",
        "Easy to set up and {thing} is a joy.",
    ),
    "passive": (
        "Good on the whole, but {thing} could be clearer.",
        "{Thing} does what it should, no more.",
        "Happy enough. {Thing} is a little slow at times.",
        "I would like more control over {thing}.",
        "Fine since the last update, before that {thing} was flaky.",
    ),
    "detractor": (
        "{Thing} broke twice this month and nobody told us.",
        "Too expensive for what {thing} offers.",
        "I gave up on {thing} after three tries.",
        "Waited four days for an answer about {thing}.",
        "Since the redesign I cannot find anything, {thing} least of all.",
        "{Thing} loses data. Not acceptable.",
    ),
}
_ENDINGS = {
    "promoter": ("", "", " Thanks!", " Keep going.", " Grüße aus Köln!"),
    "passive": ("", "", " Otherwise no complaints.", "\nHappy to explain on the phone."),
    "detractor": ("", "", " Please look into it.", "\nWe are looking at alternatives.", " Ärgerlich."),
}


class HistoricPerson(Record, frozen=True, kw_only=True):
    """Somebody who was surveyed."""

    email: str
    name: str
    created_at: int
    """Seconds since 1970."""
    properties: dict[str, str]
    """What every survey of theirs is asked with; `segment_user_id` where Segment knows them."""


class HistoricAnswer(Record, frozen=True, kw_only=True):
    """A score, and the comment that followed it if one did."""

    person: HistoricPerson
    score: int
    answered_at: int
    """Seconds since 1970."""
    comment: str | None = None
    commented_at: int | None = None
    """Seconds since 1970; minutes or hours after the score."""
    tags: tuple[str, ...] = ()


class HistoricGlance(Record, frozen=True, kw_only=True):
    """A survey that was looked at and not answered."""

    person: HistoricPerson
    seen_at: int
    """Seconds since 1970."""
    is_closed: bool
    """Whether it was closed on purpose, or just left."""


class History(Record, frozen=True, kw_only=True):
    """People, what they answered and what they only looked at, oldest first."""

    people: list[HistoricPerson]
    answers: list[HistoricAnswer]
    glances: list[HistoricGlance] = msgspec.field(default_factory=list)


class Comment(Record, frozen=True, kw_only=True):
    """What somebody wrote, and what a reader would file it under."""

    text: str
    tags: tuple[str, ...]


def believable_history(
    dice: random.Random, *, people: int = 300, years: float = 2.0, until: datetime, first_number: int = 1
) -> History:
    """Invent a history.

    Args:
        dice: Source of chance.
        people: How many.
        years: How far back the first of them was surveyed.
        until: Nothing happened later.
        first_number: Their numbers begin here; emails and ids of different numbers differ.
    """
    last = int(until.timestamp())
    first = last - int(years * _YEAR)
    crowd = [_person(dice, number, first, last) for number in range(first_number, first_number + people)]
    answers = [answer for person in crowd for answer in _answers(dice, person, last)]
    glances = [_glance(dice, person, last) for person in crowd if dice.random() < _SILENT_SHARE]
    return History(
        people=crowd,
        answers=sorted(answers, key=lambda answer: answer.answered_at),
        glances=sorted(glances, key=lambda glance: glance.seen_at),
    )


def believable_score(dice: random.Random, plan: str) -> int:
    """A score from 0 to 10, as people of a plan give it."""
    if dice.random() < _ANGRY_SHARE:
        return dice.randint(0, 4)
    return min(10, max(0, round(dice.gauss(_MOODS.get(plan, 8.0), 1.9))))


def believable_comment(dice: random.Random, score: int) -> Comment:
    """A comment that fits a score."""
    tag = dice.choice(sorted(_THINGS))
    thing, camp = _THINGS[tag], category(score)
    opinion = dice.choice(_OPINIONS[camp]).format(thing=thing, Thing=thing[0].upper() + thing[1:])
    return Comment(text=opinion + dice.choice(_ENDINGS[camp]), tags=(tag,))


def _person(dice: random.Random, number: int, first: int, last: int) -> HistoricPerson:
    name = dice.choice(_NAMES)
    properties = {"plan": dice.choice(sorted(_MOODS)), "country": dice.choice(_COUNTRIES)}
    if dice.random() < _KNOWN_TO_SEGMENT_SHARE:
        properties["segment_user_id"] = f"usr_{1000 + number}"
    return HistoricPerson(
        email=f"{name.split()[0].lower().translate(_PLAIN_LETTERS)}.{number}@example.com",
        name=name,
        created_at=dice.randint(first, last - 1),
        properties=properties,
    )


def _answers(dice: random.Random, person: HistoricPerson, last: int) -> list[HistoricAnswer]:
    """One for each survey that was answered; a survey went out every 90 days."""
    asked = range(person.created_at, last, _SURVEY_EVERY)
    moments = [second + int(dice.expovariate(1 / 20000)) for second in asked if dice.random() < _ANSWERING_SHARE]
    return [_answer(dice, person, moment, last) for moment in moments if moment < last]


def _answer(dice: random.Random, person: HistoricPerson, answered_at: int, last: int) -> HistoricAnswer:
    score = believable_score(dice, person.properties["plan"])
    commented_at = answered_at + 20 + int(dice.expovariate(1 / 5000))
    if dice.random() >= _COMMENTING_SHARE or commented_at > last:
        return HistoricAnswer(person=person, score=score, answered_at=answered_at)
    comment = believable_comment(dice, score)
    return HistoricAnswer(
        person=person,
        score=score,
        answered_at=answered_at,
        comment=comment.text,
        commented_at=commented_at,
        tags=comment.tags,
    )


def _glance(dice: random.Random, person: HistoricPerson, last: int) -> HistoricGlance:
    return HistoricGlance(
        person=person, seen_at=dice.randint(person.created_at, last), is_closed=dice.random() < _CLOSING_SHARE
    )
