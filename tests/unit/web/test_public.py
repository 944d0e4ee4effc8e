"""The public listener: who may call, what is kept, and what everybody else is told."""

import asyncio
import gzip
import io
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from aiohttp import web

from end_to_end.harness import log_kept
from npsbridge.core.people import IdKind, KnownPeople, Person, PersonId
from npsbridge.core.ports import Heard
from npsbridge.engine.intake import Intake
from npsbridge.engine.lead import Lead
from npsbridge.engine.readback import ReadBack
from npsbridge.engine.seams import Seams
from npsbridge.errors import BadRecord
from npsbridge.web.public import BODY_LIMIT, BODY_SECONDS, COMMIT_SECONDS, Doors, public_app
from unit.engine.doubles import MemoryStore, ScriptedLookup, seams_of
from unit.web.serving import caller, served, spoken

SIGNED = {"X-Signature": "right"}


class Signed:
    """Takes what says that it is signed; a record is the body, `other` is news of no interest."""

    def authentic(self, headers: Mapping[str, str], raw: bytes) -> bool:
        return headers.get("x-signature") == "right" and raw is not None

    def records(self, raw: bytes) -> list[bytes]:
        match raw:
            case b"bad":
                raise BadRecord("/event_type", "is missing")
            case b"bug":
                raise ZeroDivisionError
            case _:
                return [] if raw == b"other" else [raw]


class Unsigned:
    """Its records are bodies that begin with `r`, its hints those with `h`."""

    token = "t0ken"

    def hear(self, raw: bytes) -> Heard:
        match raw[:1]:
            case b"r":
                return Heard(records=[raw])
            case b"h":
                return Heard(hints=[raw.decode()])
            case b"u":
                return Heard(unsubscribed=["Ana@example.org"])
            case b"b":
                raise BadRecord("/id", "is missing")
            case _:
                return Heard()


class Door:
    """The application over a store in lists."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.seams: Seams = seams_of(self.store)
        intake = Intake(self.seams, Lead(1_000))
        self.app: web.Application = public_app(
            Doors(
                receivers={"shop": Signed()},
                hooks={"open": Unsigned()},
                readbacks={"open": ReadBack("open", ScriptedLookup(), self.seams, intake)},
                intake=intake,
                metrics=self.seams.metrics,
            )
        )

    @property
    def kept(self) -> list[bytes]:
        return [arrival.body for arrival in self.store.arrivals]

    def counted(self, result: str) -> float | None:
        labels = {"source": "webhook", "result": result}
        return self.seams.metrics.registry.get_sample_value("npsbridge_ingest_events_total", labels)


async def post(
    door: Door, body: bytes | AsyncIterator[bytes], headers: Mapping[str, str], path: str = "/hooks/shop"
) -> aiohttp.ClientResponse:
    async with caller(door.app) as session:
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        answer = await session.post(path, data=data, headers=headers)
        await answer.read()
        return answer


async def test_a_signed_webhook_is_kept_and_thanked_for() -> None:
    door = Door()
    answer = await post(door, b'{"id":1}', SIGNED)
    assert (answer.status, await answer.json()) == (200, {"success": True})
    assert door.kept == [b'[{"id":1}]']


@pytest.mark.parametrize("headers", [{}, {"X-Signature": "wrong"}, {"X-Signature": ""}])
async def test_f32_a_forged_or_unsigned_webhook_is_401_and_leaves_nothing(headers: dict[str, str]) -> None:
    door = Door()
    answer = await post(door, b"{}", headers)
    assert (answer.status, (await answer.json())["code"]) == (401, "invalid_signature")
    assert door.kept == []
    assert door.counted("forged") == 1


async def test_f38_a_signature_that_comes_twice_matches_nothing() -> None:
    door = Door()
    async with served(door.app) as listener:
        head = b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n"
        answer = await spoken(listener, head + b"X-Signature: right\r\nX-Signature: right\r\n\r\n{}")
    assert answer.startswith(b"HTTP/1.1 401")


async def test_news_of_no_interest_are_thanked_for_and_not_kept() -> None:
    door = Door()
    assert (await post(door, b"other", SIGNED)).status == 200
    assert door.kept == []
    assert door.counted("ignored") == 1


async def test_a_body_that_cannot_be_understood_is_400_and_names_the_place() -> None:
    door = Door()
    answer = await post(door, b"bad", SIGNED)
    assert answer.status == 400
    assert (await answer.json())["message"] == "/event_type: is missing"


@pytest.mark.parametrize(("size", "status"), [(BODY_LIMIT, 200), (BODY_LIMIT + 1, 413)])
async def test_f35_the_largest_body_is_taken_and_one_byte_more_is_not(size: int, status: int) -> None:
    door = Door()
    answer = await post(door, b"x" * size, SIGNED)
    assert answer.status == status
    assert len(door.kept) == (1 if status == 200 else 0)


async def test_f35_a_body_of_unknown_length_is_cut_off_as_well() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    door = Door()
    answer = await post(door, endless(), SIGNED)
    assert (answer.status, (await answer.json())["success"]) == (413, False)
    assert door.kept == []


async def test_f35_a_packed_body_is_not_unpacked() -> None:
    door = Door()
    packed = gzip.compress(b"0" * 50_000_000)
    await post(door, packed, {**SIGNED, "Content-Encoding": "gzip"})
    assert door.kept == [b"[" + packed + b"]"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/hooks/unknown", 404),
        ("POST", "/hooks/shop/extra", 404),
        ("POST", "/hooks", 404),
        ("GET", "/", 404),
        ("POST", "/v1/track", 404),
        ("GET", "/healthz", 404),
        ("GET", "/hooks/shop", 405),
        ("DELETE", "/hooks/shop", 405),
    ],
)
async def test_everything_else_is_refused_in_json(method: str, path: str, status: int) -> None:
    async with caller(Door().app) as session, session.request(method, path) as answer:
        body = await answer.json()
    assert answer.status == status
    assert body["success"] is False
    assert body["code"]
    assert body["message"]
    assert (answer.headers.get("Allow") == "POST") is (status == 405)


async def test_f6_a_full_store_asks_the_caller_to_come_again() -> None:
    door = Door()
    door.store.full = {"append"}
    answer = await post(door, b"{}", SIGNED)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")


@pytest.mark.looptime
async def test_a_store_that_does_not_answer_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.sleep(10_000)

    door = Door()
    monkeypatch.setattr(door.store, "append", hang)
    answer = await post(door, b"{}", SIGNED)
    assert answer.status == 503
    assert asyncio.get_running_loop().time() == pytest.approx(COMMIT_SECONDS, abs=1)


async def test_a_mistake_of_ours_is_500_and_told() -> None:
    with log_kept("ERROR") as told:
        answer = await post(Door(), b"bug", SIGNED)
    assert (answer.status, (await answer.json())["code"]) == (500, "internal_error")
    assert [line.extra["path"] for line in told] == ["/hooks/shop"]


@pytest.mark.looptime
async def test_f36_a_body_that_does_not_come_is_408() -> None:
    door = Door()
    async with served(door.app) as listener:
        answer = await spoken(listener, b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408")
    assert asyncio.get_running_loop().time() < BODY_SECONDS + 15
    assert door.kept == []


async def test_f3_a_caller_who_goes_in_the_middle_leaves_nothing_and_disturbs_nobody() -> None:
    door = Door()
    with log_kept("WARNING") as told:
        async with served(door.app) as listener:
            _, writer = await asyncio.open_connection(listener.host, listener.port)
            writer.write(b"POST /hooks/shop HTTP/1.1\r\nHost: x\r\nX-Signature: right\r\nContent-Length: 9\r\n\r\n{")
            await writer.drain()
            writer.transport.abort()
            async with aiohttp.ClientSession(f"http://{listener}") as session:
                assert (await session.post("/hooks/shop", data=b"{}", headers=SIGNED)).status == 200
    assert door.kept == [b"[{}]"]
    assert told == []


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 20_000, b"\x16\x03\x01 canary", b"GET canary"])
async def test_f37_what_is_no_http_is_refused_and_cannot_fill_the_log(
    head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(Door().app) as listener:
        answer = await spoken(listener, head + b"\r\n\r\n")
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert caplog.records == []


# --- unsigned webhooks: the token is the secret -----------------------------------------------------------------


async def test_a_record_of_an_unsigned_webhook_is_kept_before_it_is_thanked_for() -> None:
    door = Door()
    answer = await post(door, b"record", {}, "/hooks/open/t0ken")
    assert (answer.status, door.kept) == (200, [b"[record]"])


async def test_a_hint_of_an_unsigned_webhook_is_on_disk_before_it_is_thanked_for() -> None:
    door = Door()
    answer = await post(door, b"hint", {}, "/hooks/open/t0ken")
    assert (answer.status, [one.hint for one in door.store.noted], door.kept) == (200, ["hint"], [])
    assert door.counted("hinted") == 1


async def test_news_that_is_not_ours_is_thanked_for_and_forgotten() -> None:
    door = Door()
    answer = await post(door, b"other", {}, "/hooks/open/t0ken")
    assert (answer.status, door.kept, door.store.noted) == (200, [], [])
    assert door.counted("ignored") == 1


@pytest.mark.parametrize(
    "path",
    [
        "/hooks/open/wrong",
        "/hooks/open/t0kenn",
        "/hooks/open/t0ke%C3%B1",
        "/hooks/open",
        "/hooks/nobody/t0ken",
        "/hooks/shop/t0ken",
        "/hooks/nobody",
    ],
)
async def test_an_unknown_hook_and_a_wrong_token_are_the_same_404(path: str) -> None:
    door = Door()
    answer = await post(door, b"record", SIGNED, path)
    told = await answer.json()
    assert (answer.status, told["code"], told["message"]) == (404, "not_found", "there is nothing here")
    assert door.kept == []


async def test_a_full_store_asks_the_caller_of_a_hint_to_come_again() -> None:
    door = Door()
    door.store.full.add("note_hints")
    answer = await post(door, b"hint", {}, "/hooks/open/t0ken")
    assert (answer.status, "Retry-After" in answer.headers) == (503, True)


async def test_a_body_that_cannot_be_a_webhook_is_refused_with_the_reason() -> None:
    answer = await post(Door(), b"bad", {}, "/hooks/open/t0ken")
    assert (answer.status, (await answer.json())["message"]) == (400, "/id: is missing")


async def test_who_unsubscribes_is_left_alone_under_every_id_that_is_known() -> None:
    door = Door()
    person = Person(key="person:1", user_id="u1", email="ana@example.org")
    email = PersonId(IdKind.EMAIL, "ana@example.org")
    door.store.known_people = KnownPeople(persons={person.key: person}, owners={email: person.key})
    answer = await post(door, b"unsubscribed", {}, "/hooks/open/t0ken")
    assert answer.status == 200
    assert door.store.suppressed == dict.fromkeys([email, PersonId(IdKind.USER, "u1")], "unsubscribed")
