"""`npsbridge sandbox`: the look-alikes on their ports, and what one needs to know to use them."""

import asyncio
import errno
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import anyio

from npsbridge.app.ladder import one_error
from npsbridge.cli.signals import until_told
from npsbridge.errors import ListenError
from npsbridge.sandbox import Sandbox, serve_sandbox

_REFUSED: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)
_ANSWER: Final = '{"person": "new@example.com", "score": 9, "comment": "Great support"}'
_OUTAGE: Final = '[{"fault": {"fault": "answer", "status": 503}, "times": 3}]'
_SWITCH: Final = '{"standing": "retired"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the operator asked for; ports may be 0."""

    delighted_port: int
    segment_port: int
    people: int
    answer_every: float | None
    webhook_url: str | None


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
    ports = {"--delighted-port": wanted.delighted_port, "--segment-port": wanted.segment_port}
    option, port = next(
        ((option, port) for option, port in ports.items() if port and str(port) in str(error)), ("port", 0)
    )
    reason = f"{os.strerror(error.errno or 0)}; choose another one (0 takes a free one)"
    return ListenError(option, str(port), reason, needs_rights=error.errno == errno.EACCES)


def _show(sandbox: Sandbox) -> None:
    for line in introduction(sandbox):
        print(line, flush=True)


def introduction(sandbox: Sandbox) -> Iterator[str]:
    """What to know: where the look-alikes are, how to point a daemon at them, and how to look into and act in them."""
    delighted, segment = sandbox.delighted, sandbox.segment
    yield f"Delighted  {delighted.base_url}  API key {delighted.api_key}"
    yield f"           {len(delighted.responses):,} responses of {len(delighted.people):,} people"
    yield f"Segment    {segment.base_url}  write key {segment.write_keys[0]}"
    yield ""
    yield "Settings that point npsbridge here; keep them in a file, and `npsbridge run --env-file FILE`:"
    yield ""
    yield from sandbox.lines
    yield ""
    yield "Look into both, no key needed (JSON): /__sim/state  /__sim/requests  /__sim/script"
    yield f"  {delighted.origin}/__sim/responses   also people, survey_requests, webhooks"
    yield f"  {segment.origin}/__sim/events      also dropped; DELETE forgets them"
    yield "Let something happen:"
    yield from examples(sandbox)
    yield ""
    yield "Ctrl-C ends it."


def examples(sandbox: Sandbox) -> Iterator[str]:
    """Commands for another terminal: an answer, an outage, an account that has ended."""
    delighted, segment = sandbox.delighted, sandbox.segment
    yield f"  curl -d '{_ANSWER}' {delighted.origin}/__sim/answers"
    yield f"  curl -d '{_OUTAGE}' {segment.origin}/__sim/script"
    yield f"  curl -d '{_SWITCH}' {delighted.origin}/__sim/switches"
