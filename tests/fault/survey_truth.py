"""What four vendors were told of people and asked to survey, and what the store says became of it.

Every call carries its number in the order of sending, its step, so that what arrives anywhere can be recognised.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import aiohttp

from end_to_end.outbound import ACTIVATION, INVITATION, PURCHASE, WRITE_KEY, Message, Outbound, Server
from npsbridge.core.forward import SURVEY
from npsbridge.core.model import Delivery
from npsbridge.sandbox.request_log import RecordedRequest
from npsbridge.store import open_store

REPORTS: Final = 3000
"""SatisMeter is told nothing of an event but its name; so many names there are."""
VENDORS: Final = ("delighted", "retently", "satismeter", "promoter")
ALL_OF_THEM: Final = 100_000


def settings(**changes: str) -> dict[str, str]:
    """Settings under which a doubt is left to a person, everybody may be surveyed often, and steps can be seen."""
    holding = {f"{name.upper()}__ON_UNKNOWN": "hold" for name in VENDORS}
    return {**holding, "SATISMETER__EVENTS": json.dumps([f"Report {n}" for n in range(REPORTS)]), **changes}


# --- what is sent -------------------------------------------------------------------------------------------------


def person_of(text: str) -> str:
    return text.partition("@")[0]


def identify(user: str, step: int) -> Message:
    """Somebody is described anew."""
    traits = {"email": f"{user}@example.org", "step": step}
    return {"type": "identify", "messageId": f"step-{step}", "userId": user, "traits": traits}


def trigger(vendor: str, user: str, step: int) -> Message:
    """Somebody does what makes a vendor ask them."""
    names = {"delighted": PURCHASE, "retently": ACTIVATION, "promoter": INVITATION, "satismeter": f"Report {step}"}
    properties = {"email": f"{user}@example.org", "step": step}
    call = {"type": "track", "messageId": f"step-{step}", "userId": user, "event": names[vendor]}
    return {**call, "properties": properties}


async def post(address: str, calls: Sequence[Message]) -> bool:
    """Send calls as an SDK does; whether they were taken. They were not, as far as anybody knows, if nobody answers."""
    content = {"writeKey": WRITE_KEY, "batch": calls}
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://{address}/v1/batch", json=content) as answer,
        ):
            return answer.status == 200 and await answer.json() == {"success": True}
    except (aiohttp.ClientError, ConnectionError):
        return False


# --- what arrived -------------------------------------------------------------------------------------------------


class Heard(NamedTuple):
    """One thing that a vendor was told or asked, and that took effect."""

    person: str
    step: int
    is_survey: bool


def heard(server: Server) -> list[Heard]:
    """All that took effect at a vendor, in order, whether its answer arrived or not."""
    took_effect = [one for one in server.requests if one.method == "POST" and one.true_status is not None]
    return [item for request in took_effect for item in READ[server.kind](request)]


def surveys(server: Server) -> Counter[int]:
    """How often a vendor was asked for a survey, by step; checked against what its look-alike knows."""
    found = Counter(one.step for one in heard(server) if one.is_survey)
    assert found.total() == _known_to(server), "the log of requests and the state of the look-alike differ"
    return found


def _known_to(server: Any) -> int:
    match server.kind:
        case "delighted":
            return len(server.survey_requests)
        case "retently":
            return len(server.account.requests)
        case "satismeter":
            return len(server.account.tracks)
        case _:
            return len(server.account.survey_requests)


def _at_delighted(request: RecordedRequest) -> Iterator[Heard]:
    body = request.body
    yield Heard(person_of(body["email"]), int(body["properties"]["step"]), is_survey=body["send"])


def _at_retently(request: RecordedRequest) -> Iterator[Heard]:
    for row in request.body["subscribers"]:
        (step,) = [item["value"] for item in row["properties"] if item["label"] == "step"]
        yield Heard(person_of(row["email"]), int(step), is_survey=True)


def _at_satismeter(request: RecordedRequest) -> Iterator[Heard]:
    body = request.body
    is_event = body.get("type") == "track"
    step = body["event"].removeprefix("Report ") if is_event else body.get("traits", {}).get("step")
    if step is not None:
        yield Heard(body["userId"], int(step), is_survey=is_event)


def _at_promoter(request: RecordedRequest) -> Iterator[Heard]:
    body, is_survey = request.body, request.path.endswith("/survey/")
    person = body["contact"] if is_survey else body
    yield Heard(person_of(person["email"]), int(body["attributes"]["step"]), is_survey=is_survey)


READ: Final[Mapping[str, Callable[[RecordedRequest], Iterator[Heard]]]] = {
    "delighted": _at_delighted,
    "retently": _at_retently,
    "satismeter": _at_satismeter,
    "promoter": _at_promoter,
}


# --- what the store says of it ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Fates:
    """What became of every request for a survey."""

    rows: list[Delivery] = field(default_factory=list)

    def of(self, vendor: str) -> dict[int, Delivery]:
        """By step."""
        return {_step(row): row for row in self.rows if row.connection == vendor}


def _step(row: Delivery) -> int:
    return int(row.message_id.removeprefix("step-").partition(":")[0])


async def fates(line: Outbound) -> Fates:
    """All requests for surveys that the store knows of; a daemon may run beside it."""
    async with open_store(line.environment["STORE_URL"], clock=line.clock, exclusive=False) as store:
        return Fates(rows=[row for row in await store.deliveries(limit=ALL_OF_THEM) if row.kind == SURVEY])


async def is_drained(line: Outbound) -> bool:
    """Whether nothing is owed any more."""
    return (await line.ledger(line.settings())).waiting == 0


def npsbridge(line: Outbound, *arguments: str) -> str:
    """What a command of `npsbridge` prints, with the settings of the daemon."""
    environment = {f"NPSBRIDGE_{name}": value for name, value in line.environment.items()}
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-W", "error", "-m", "npsbridge", *arguments],
        cwd=line.folder,
        env={"PATH": os.environ.get("PATH", "")} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def held(line: Outbound) -> list[dict[str, Any]]:
    """What `npsbridge outbox list --state held` shows of requests for surveys."""
    rows = json.loads(npsbridge(line, "outbox", "list", "--state", "held", "--limit", str(ALL_OF_THEM), "--json"))
    assert all(row["kind"] == SURVEY for row in rows)
    return [dict(row) for row in rows]
