"""Who may use the admin listener."""

import base64

import pytest

from npsbridge.engine.board import Condition, Direction
from npsbridge.settings import Admin
from npsbridge.web.access import OPEN, Access
from npsbridge.web.admin import admin_app
from npsbridge.web.view import View
from unit.web.serving import caller
from unit.web.test_admin import ShownStore, seams_around

PASSWORD, TOKEN = "open-sesame", "a-long-random-token"
BOTH = Access(user="ann", password=PASSWORD, token=TOKEN)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("shown", "is_let_in"),
    [
        (basic("ann", PASSWORD), True),
        (basic("bob", PASSWORD), False),
        (basic("ann", PASSWORD + "!"), False),
        (basic("ann", ""), False),
        (f"Bearer {TOKEN}", True),
        (f"bearer  {TOKEN} ", True),
        (f"Bearer {PASSWORD}", False),
        (basic("anybody", TOKEN), True),
        ("Basic not-base64!", False),
        ("Basic " + base64.b64encode(b"no colon").decode(), False),
        (TOKEN, False),
        ("Bearer \ud800", False),
        ("", False),
    ],
)
def test_the_password_goes_with_its_user_and_the_token_with_anybody(shown: str, is_let_in: bool) -> None:  # noqa: FBT001
    assert BOTH.admits({"Authorization": shown}) is is_let_in


def test_what_is_not_set_lets_nobody_in() -> None:
    assert not Access(password=PASSWORD).admits({"Authorization": f"Bearer {TOKEN}"})
    assert not Access(token=TOKEN).admits({"Authorization": basic("admin", PASSWORD)})
    assert not Access(token=TOKEN).admits({"Authorization": "Bearer "})
    assert not Access(password=PASSWORD).admits({"Authorization": "Bearer None"})


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1:8081", True),
        ("localhost", True),
        ("LOCALHOST.:8081", True),
        ("[::1]:8081", True),
        ("127.8.8.8", True),
        ("evil.example:8081", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("0.0.0.0:8081", False),
        ("[::]:1", False),
        ("", False),
    ],
)
def test_without_credentials_only_this_machine_is_called_rightly(host: str, is_ours: bool) -> None:  # noqa: FBT001
    assert OPEN.is_called_rightly(host) is is_ours


def test_a_listener_may_be_called_as_it_was_told_to_listen() -> None:
    assert Access(host="nps.lan").is_called_rightly("NPS.lan:8081")


def test_it_follows_from_the_settings() -> None:
    admin = Admin.model_validate({"user": "ann", "password": PASSWORD})
    assert admin.is_protected
    assert not Admin().is_protected


async def answer(access: Access, path: str, **headers: str) -> tuple[int, str, str]:
    view = View(seams=seams_around(ShownStore()), sinks=[], is_draining=lambda: False, access=access)
    async with caller(admin_app(view)) as session, session.get(path, headers=headers) as got:
        return got.status, got.headers.get("WWW-Authenticate", ""), await got.text()


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/status", "/api/overview", "/nps", "/deliveries/1", "/nothing"])
async def test_everything_but_probes_asks_for_the_password(path: str) -> None:
    status, challenge, _ = await answer(BOTH, path)
    assert (status, challenge) == (401, 'Basic realm="npsbridge", charset="UTF-8"')


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
async def test_probes_are_answered_without_it(path: str) -> None:
    assert (await answer(BOTH, path))[0] == 200


async def test_prometheus_reads_the_figures_with_the_token() -> None:
    status, _, _ = await answer(BOTH, "/api/status", Authorization=f"Bearer {TOKEN}")
    assert status == 200


async def test_a_browser_gets_the_refusal_as_a_page_that_asks() -> None:
    status, challenge, text = await answer(BOTH, "/", Accept="text/html")
    assert status == 401
    assert challenge
    assert "<h1>Who are you?</h1>" in text


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/status", "/people/forget"])
async def test_a_name_that_was_made_to_lead_here_is_refused(path: str) -> None:
    assert (await answer(OPEN, path, Host="evil.example:8081"))[0] == 403


async def test_with_a_password_any_name_may_lead_here() -> None:
    status, _, _ = await answer(BOTH, "/api/status", Host="nps.example.com", Authorization=basic("ann", PASSWORD))
    assert status == 200


async def test_why_a_connection_fails_is_told_only_to_those_who_may_know() -> None:
    seams = seams_around(ShownStore())
    await seams.board.note("shop", Direction.PULL, Condition.RETRYING, reason="HTTP 503 of 10.0.0.7")
    app = admin_app(View(seams=seams, sinks=[], is_draining=lambda: False, access=BOTH))
    async with caller(app) as session:
        async with session.get("/healthz") as got:
            assert "10.0.0.7" not in await got.text()
        async with session.get("/healthz", headers={"Authorization": f"Bearer {TOKEN}"}) as got:
            assert "10.0.0.7" in await got.text()
