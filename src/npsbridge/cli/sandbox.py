"""`npsbridge sandbox`: the look-alikes on their ports, and what one needs to know to use them."""

import asyncio
import errno
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

import anyio
import msgspec
import typer

from npsbridge.app.ladder import one_error
from npsbridge.cli.signals import until_told
from npsbridge.errors import ListenError
from npsbridge.sandbox import PLATFORMS, Sandbox, SegmentServer, SurveyLookAlike, serve_sandbox
from npsbridge.sandbox.server import LookAlike

_REFUSED: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)
_OUTAGE: Final = '[{"fault": {"fault": "answer", "status": 503}, "times": 3}]'
_LISTENER: Final = re.compile(r"https?://[^/\s?#]+/?")
_SWITCH: Final = '{"standing": "retired"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the operator asked for; the first port may be 0."""

    only: tuple[str, ...]
    first_port: int
    people: int
    answer_every: float | None
    webhooks_to: str | None


def names_of(text: str | None) -> tuple[str, ...]:
    """The look-alikes that a comma-separated text names; all of them if there is none.

    Raises:
        BadParameter: one of the names is unknown.
    """
    if text is None:
        return PLATFORMS
    names = [name for part in text.split(",") if (name := part.strip().lower())]
    unknown = [name for name in names if name not in PLATFORMS]
    if unknown or not names:
        wrong = f"{', '.join(unknown)}: no such look-alike" if unknown else "no name is given"
        raise typer.BadParameter(f"{wrong}; there are {', '.join(PLATFORMS)}", param_hint="--only")
    return tuple(names)


def listener_of(text: str | None) -> str | None:
    """The public listener of a daemon, scheme, host and port.

    Raises:
        BadParameter: it is no such URL.
    """
    if text is not None and not _LISTENER.fullmatch(text):
        raise typer.BadParameter("not like http://127.0.0.1:8080, without a path", param_hint="--webhooks-to")
    return text


def run_sandbox(wanted: Wanted) -> None:
    """Serve the look-alikes until interrupted.

    Raises:
        ListenError: a port is taken, or needs more rights.
    """
    try:
        with one_error():
            asyncio.run(_serve(wanted))
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        raise _listen_error(wanted, error) from error


async def _serve(wanted: Wanted) -> None:
    async with anyio.create_task_group() as group:

        async def serve() -> None:
            await serve_sandbox(on_ready=_show, **asdict(wanted))

        group.start_soon(serve)
        await until_told()
        group.cancel_scope.cancel()
    print("The sandbox has ended; nothing of it is kept.", flush=True)


def _listen_error(wanted: Wanted, error: OSError) -> ListenError:
    ports = {wanted.first_port + place: name for place, name in enumerate(PLATFORMS)} if wanted.first_port else {}
    taken = next((f"port {port} ({name}): " for port, name in ports.items() if str(port) in str(error)), "")
    reason = f"{taken}{os.strerror(error.errno or 0)}; choose another one (0 takes free ones)"
    return ListenError("--first-port", str(wanted.first_port), reason, needs_rights=error.errno == errno.EACCES)


def _show(sandbox: Sandbox) -> None:
    for line in introduction(sandbox):
        print(line, flush=True)


def introduction(sandbox: Sandbox) -> Iterator[str]:
    """What to know: where the look-alikes are, how to point a daemon at them, and how to look into and act in them."""
    for server in sandbox.servers:
        yield _address(server)
    yield ""
    yield "Settings that point npsbridge here; keep them in a file, and `npsbridge run --env-file FILE`:"
    yield ""
    yield from sandbox.lines
    yield ""
    yield "Look into each, no key needed (JSON):"
    for server in sandbox.servers:
        yield f"  {server.origin}/__sim/state  also requests, script, {_things(server)}"
    yield "Let something happen:"
    yield from examples(sandbox)
    yield ""
    yield "Ctrl-C ends it."


def _address(server: LookAlike) -> str:
    """One line about a look-alike, its key in the settings further down."""
    state = server.state()
    kept = f"  {state['responses']:,} responses of {state['people']:,} people" if "people" in state else ""
    return f"{state['kind']:<11} {state['base_url']}{kept}"


def _things(server: LookAlike) -> str:
    """What else can be looked at, each under `/__sim/`."""
    match server:
        case SurveyLookAlike():
            return ", ".join(server.listings())
        case SegmentServer():
            return "events, dropped (DELETE forgets events)"
        case _:
            return "events, users"


def examples(sandbox: Sandbox) -> Iterator[str]:
    """Commands for another terminal: an answer, an outage, an account that has ended."""
    for account in sandbox.accounts:
        yield f"  curl -d '{_answer(account)}' {account.origin}/__sim/answers"
    for account in sandbox.accounts[:1]:
        yield f"  curl -d '{_SWITCH}' {account.origin}/__sim/switches"
    down = sandbox.segment if "segment" in sandbox.running else sandbox.servers[-1]
    yield f"  curl -d '{_OUTAGE}' {down.origin}/__sim/script"


def _answer(account: SurveyLookAlike[Any, Any, Any]) -> str:
    """The body of an answer; vendors call who answers by different words."""
    words = {field.name: field.encode_name for field in msgspec.structs.fields(account.answer_asked)}
    return json.dumps({words["person"]: "new@example.com", "score": 9, "comment": "Great support"})
