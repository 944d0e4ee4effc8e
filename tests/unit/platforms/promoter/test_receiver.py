"""Every shape a webhook may have, and what it tells: nothing but which feedback to read again."""

from typing import Any

import aiohttp
import orjson
import pytest
from pydantic import SecretStr

from npsbridge.clock import Clock
from npsbridge.core.ports import Heard
from npsbridge.errors import BadRecord
from npsbridge.metrics import Metrics
from npsbridge.net.client import HttpClient
from npsbridge.platforms.base import Wiring
from npsbridge.platforms.promoter.receiver import PromoterReceiver
from npsbridge.platforms.promoter.settings import PromoterSettings

FEEDBACK = {"id": 880123, "score": 9, "comment": "Quick help.", "contact": {"id": 5, "email": "mara@acme.test"}}
CHANGED = "feedback.added_or_changed"


@pytest.fixture
async def receiver() -> Any:
    settings = PromoterSettings(api_key=SecretStr("k"), webhook_token=SecretStr("s3cret"))
    async with aiohttp.ClientSession() as session:
        http = HttpClient(session, Metrics(), connection="promoter")
        wiring = Wiring(name="promoter", settings=settings, http=http, clock=Clock(), prefix="NPSBRIDGE_PROMOTER__")
        yield PromoterReceiver(wiring)


def hook(event: str, data: Any) -> dict[str, Any]:
    return {
        "hook": {"id": 31, "event": event, "target": "https://nps.example.test/hooks/promoter/s3cret"},
        "data": data,
    }


def test_the_token_is_the_one_of_the_settings(receiver: PromoterReceiver) -> None:
    assert receiver.token == "s3cret"


@pytest.mark.parametrize(
    "body",
    [
        hook(CHANGED, FEEDBACK),
        hook("feedback.tags_added_or_changed", FEEDBACK),
        hook("feedback.status_changed", {"id": "880123", "status": "CLOSED"}),
        hook("survey.response_added_or_changed", FEEDBACK),
        hook("survey.response_added_or_changed", {"survey_response": FEEDBACK}),
        {"event": CHANGED, **FEEDBACK},
        {"event": CHANGED, "id": 7, "data": FEEDBACK},
        {"event_type": CHANGED.upper(), "payload": {"feedback": FEEDBACK}},
        {"type": CHANGED, "feedback_id": 880123},
        {"event": CHANGED, "data": {"response_id": "880123", "id": 4}},
        FEEDBACK,
        {"data": FEEDBACK},
        [hook(CHANGED, FEEDBACK), hook(CHANGED, FEEDBACK)],
    ],
)
def test_news_of_a_feedback_is_a_hint_to_read_it(receiver: PromoterReceiver, body: Any) -> None:
    assert receiver.hear(orjson.dumps(body)) == Heard(hints=["880123"])


@pytest.mark.parametrize(
    "body",
    [
        hook("feedback.removed", FEEDBACK),
        hook("survey.response_removed", FEEDBACK),
        hook("contact.unsubscribed", {"id": 5}),
        hook("metric.score_changed", {"nps": "50.0"}),
        hook("tag.renamed", {"id": 12, "name": "help"}),
        hook("invoice.paid", {"id": 12}),
        {},
        {"email": "mara@acme.test"},
        [],
    ],
)
def test_a_removal_and_unknown_news_tell_nothing(receiver: PromoterReceiver, body: Any) -> None:
    assert receiver.hear(orjson.dumps(body)) == Heard()


@pytest.mark.parametrize(
    "body",
    [
        hook("contact.unsubscribed", {"id": 5, "email": " Mara@acme.test"}),
        {"event": "contact.unsubscribed", "email": "mara@acme.test"},
        {"event": "contact.unsubscribed", "contact": {"email": "mara@acme.test"}},
    ],
)
def test_who_unsubscribes_is_told_by_email(receiver: PromoterReceiver, body: Any) -> None:
    assert receiver.hear(orjson.dumps(body)) == Heard(unsubscribed=["mara@acme.test"])


def test_each_feedback_of_a_list_is_hinted_at_once(receiver: PromoterReceiver) -> None:
    body = [{"event": CHANGED, "id": number} for number in (3, 1, 3)]
    assert receiver.hear(orjson.dumps(body)).hints == ["3", "1"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"feedback=1",
        b"null",
        b'"text"',
        b"[1]",
        orjson.dumps(hook(CHANGED, {})),
        orjson.dumps(hook(CHANGED, {"id": True})),
        orjson.dumps(hook(CHANGED, {"id": "../contacts"})),
        orjson.dumps(hook(CHANGED, {"id": "1?page=2"})),
        orjson.dumps(hook(CHANGED, {"id": "9" * 65})),
        orjson.dumps([{"event": CHANGED, "id": number} for number in range(101)]),
    ],
)
def test_f32_what_cannot_be_meant_is_refused(receiver: PromoterReceiver, raw: bytes) -> None:
    with pytest.raises(BadRecord):
        receiver.hear(raw)
