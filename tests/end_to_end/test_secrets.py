"""I19: no secret in any output at any level; no email and no comment at INFO."""

import base64
from pathlib import Path

from end_to_end.harness import World, until, world
from end_to_end.process import Daemon, daemon_process
from npsbridge.sandbox.faults import html, status

EMAIL, COMMENT = "canary.person@example.org", "canary comment"


def forms(secret: str) -> list[str]:
    """A secret as it is, and as HTTP Basic writes it."""
    return [secret, base64.b64encode(f"{secret}:".encode()).decode(), base64.b64encode(secret.encode()).decode()]


async def a_troubled_life(both: World, daemon: Daemon) -> str:
    """Everything that a daemon says while much goes wrong, on every way out."""
    person = both.delighted.add_person(EMAIL)
    both.delighted.answer(person, 11, comment=COMMENT)
    both.delighted.answer(person, 9, comment=COMMENT * 400)
    good = both.delighted.answer(person, 8, comment=COMMENT)
    both.segment.change_switches({"mode": "strict", "event_limit": 2500})
    both.delighted.faults.add(html())
    both.segment.faults.add(status(503))
    await until(lambda: both.revisions(good) == [1], within=60)
    both.delighted.change_switches({"standing": "unauthorized"})
    await daemon.says("The connection is paused until somebody acts; nothing is lost")
    shown = [(await daemon.get(path))[1] for path in ("/healthz", "/metrics", "/api/status", "/readyz", "/nowhere")]
    return "\n".join([daemon.output, *shown])


async def test_i19_no_secret_leaves_at_any_level(tmp_path: Path) -> None:
    async with world(tmp_path, LOG_LEVEL="TRACE", DELIGHTED__POLL_INTERVAL="1") as both:
        async with daemon_process(tmp_path, both.environment) as daemon:
            output = await a_troubled_life(both, daemon)
        secrets = [form for secret in (both.delighted.api_key, *both.segment.write_keys) for form in forms(secret)]
    assert [secret for secret in secrets if secret in output] == []


async def test_i19_nothing_personal_leaves_at_info(tmp_path: Path) -> None:
    async with (
        world(tmp_path, LOG_LEVEL="INFO", DELIGHTED__POLL_INTERVAL="1") as both,
        daemon_process(tmp_path, both.environment) as daemon,
    ):
        output = await a_troubled_life(both, daemon)
    assert "shelf" in output
    assert "Deliveries are dead" in output
    assert "canary" not in output
