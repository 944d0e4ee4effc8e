"""I19 over the whole run: no secret in any output; nothing personal in what is told at INFO, in figures and in health.

Whatever npsbridge says is heard: what its processes write, what it logs in the process of the tests, what its listeners
answer, what its verbs print. Whatever secret a test configures it with is known from then on, and sought in all of it.
"""

import asyncio
import base64
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from loguru import logger

from npsbridge.app import ladder
from npsbridge.sandbox import SegmentServer
from npsbridge.settings import Settings
from npsbridge.web import listener

SHORTEST: Final = 8
"""Characters; shorter secrets are words of our own sentences."""
SHORTEST_COMMENT: Final = 16
"""Likewise of comments, some of which are a plain word or two."""
PREFIX: Final = "NPSBRIDGE_"
_SECRET_NAMES: Final = re.compile(r"(KEYS?|SECRET|TOKEN)$")
_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w.-]*example\.(?:org|com|net)")
"""Looks at each letter once, however long a text without a blank is."""
_LOUD: Final = 20
"""loguru's number for INFO."""
_QUIET_LINES: Final = frozenset({"TRACE", "DEBUG"})
_SHOWS_PEOPLE: Final = ("/api/", "/static/", "/people", "/deliveries", "/trace")
"""The dashboard shows its operator who is waited for; health, figures and the public listener show nobody to anyone."""
_TELL_NOTHING_PERSONAL: Final = frozenset({"run", "status", "check", "db", "schema"})
"""The verbs whose output goes to logs and tickets; the others are asked about people by their names."""
_SHOW_KEYS: Final = frozenset({"sandbox", "demo"})
"""They print the made-up keys of their own look-alikes."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """Something that was said."""

    source: str
    text: str
    is_impersonal: bool
    """Whether nothing personal may be in it."""


@dataclass(kw_only=True)
class Outputs:
    """What was said since it was last looked at, and what must not be in it."""

    secrets: set[str] = field(default_factory=set)
    comments: set[str] = field(default_factory=set)
    heard: list[Output] = field(default_factory=list)
    total: int = 0
    """How many outputs there have been."""

    def hear(self, source: str, text: str, *, is_impersonal: bool) -> None:
        """Something is said."""
        self.heard.append(Output(source=source, text=text, is_impersonal=is_impersonal))
        self.total += 1

    def know(self, secrets: Iterable[str]) -> None:
        """Secrets are in use from now on."""
        self.secrets.update(secret for secret in secrets if len(secret) >= SHORTEST)

    def know_environment(self, environ: Mapping[str, str]) -> None:
        """The secrets among settings."""
        for name, value in environ.items():
            if name.startswith(PREFIX) and _SECRET_NAMES.search(name):
                self.know(_listed(value))

    def leaks(self) -> list[str]:
        """What was said and must not have been; forgets what was heard."""
        forms = {form: secret for secret in self.secrets for form in forms_of(secret)}
        heard, self.heard = self.heard, []
        found = [f"{one.source} told the secret {forms[form]!r}" for one in heard for form in forms if form in one.text]
        found += [f"{one.source} told of {who!r}" for one in heard if one.is_impersonal for who in self._people(one)]
        return sorted(set(found))

    def _people(self, output: Output) -> list[str]:
        return [*_EMAIL.findall(output.text), *(comment for comment in self.comments if comment in output.text)]


OUTPUTS: Final = Outputs()
"""Of this process."""


def forms_of(secret: str) -> set[str]:
    """A secret as it is, in a URL, and as HTTP Basic writes it."""
    basic = (base64.b64encode(text.encode()).decode() for text in (secret, f"{secret}:", f":{secret}"))
    return {secret, quote(secret, safe=""), *basic}


def _listed(value: str) -> list[str]:
    """The secrets of a setting that takes one, or a JSON list of them."""
    try:
        found = json.loads(value)
    except ValueError:
        return [value]
    return [str(one) for one in found] if isinstance(found, list) else [value]


# --- hearing ----------------------------------------------------------------------------------------------------


def listen_everywhere() -> None:
    """Hear everything from now on; called once for a process."""
    logger.configure(patcher=_hear_record)
    _put_around(listener, "_served", _hearing_answers)
    _put_around(ladder, "assemble", _knowing_settings)
    _put_around(SegmentServer, "_count", _knowing_comments)
    _put_around(asyncio, "create_subprocess_exec", _hearing_started)
    _put_around(subprocess, "run", _hearing_run)


def _put_around(owner: object, name: str, wrapped: Callable[[Any], Any]) -> None:
    setattr(owner, name, wrapped(getattr(owner, name)))


def _hear_record(record: Any) -> None:
    error = record["exception"]
    text = f"{record['message']} {record['extra']} {error.value if error else ''}"
    OUTPUTS.hear(f"the log of {record['name']}", text, is_impersonal=record["level"].no >= _LOUD)


def _hearing_answers(serve: Any) -> Any:
    async def heard(handler: Any, request: web.BaseRequest) -> web.StreamResponse:
        answer: web.StreamResponse = await serve(handler, request)
        body = answer.body if isinstance(answer, web.Response) else b""
        text = f"{dict(answer.headers)} {body.decode(errors='replace') if isinstance(body, bytes) else body}"
        is_impersonal = request.path != "/" and not request.path.startswith(_SHOWS_PEOPLE)
        OUTPUTS.hear(f"the answer to {request.method} {request.path}", text, is_impersonal=is_impersonal)
        return answer

    return heard


def _knowing_settings(assemble: Any) -> Any:
    def knowing(settings: Settings, *parts: Any) -> Any:
        OUTPUTS.know(settings.secrets())
        return assemble(settings, *parts)

    return knowing


def _knowing_comments(count: Any) -> Any:
    """Whatever people are quoted with when Segment hears of them."""

    def knowing(server: SegmentServer, event: Mapping[str, Any]) -> None:
        comment = event.get("properties", {}).get("comment")
        if isinstance(comment, str) and len(comment) >= SHORTEST_COMMENT:
            OUTPUTS.comments.add(comment)
        count(server, event)

    return knowing


def _hearing_started(start: Any) -> Any:
    async def started(*command: Any, **options: Any) -> asyncio.subprocess.Process:
        process: asyncio.subprocess.Process = await start(*command, **options)
        if _is_ours(command):
            OUTPUTS.know_environment(options.get("env") or os.environ)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    _tee(stream, command)
        return process

    return started


def _hearing_run(run: Any) -> Any:
    def ran(command: Any, *arguments: Any, **options: Any) -> Any:
        done = run(command, *arguments, **options)
        if _is_ours(command):
            OUTPUTS.know_environment(options.get("env") or os.environ)
            for said in (done.stdout, done.stderr):
                hear_process(command, said.decode(errors="replace") if isinstance(said, bytes) else said or "")
        return done

    return ran


def _is_ours(command: Sequence[Any] | str) -> bool:
    words = [str(word) for word in ([command] if isinstance(command, str) else command)]
    return any("npsbridge" in word for word in words) and not _SHOW_KEYS & set(words)


def _tee(stream: asyncio.StreamReader, command: Sequence[Any]) -> None:
    """Hear what a reader is fed, line by line, whoever reads it and whether anybody does."""
    rest = bytearray()

    def feeding(feed: Any) -> Any:
        def fed(data: bytes) -> None:
            rest.extend(data)
            whole, separator, left = bytes(rest).rpartition(b"\n")
            if separator:
                rest[:] = left
                hear_process(command, whole.decode(errors="replace"))
            feed(data)

        return fed

    def ending(end: Any) -> Any:
        def ended() -> None:
            hear_process(command, bytes(rest).decode(errors="replace"))
            end()

        return ended

    _put_around(stream, "feed_data", feeding)
    _put_around(stream, "feed_eof", ending)


def hear_process(command: Sequence[Any], text: str) -> None:
    """Lines that a process of ours has written."""
    words = [str(word) for word in command]
    is_impersonal = bool(_TELL_NOTHING_PERSONAL & set(words))
    source = "npsbridge " + " ".join(words[words.index("npsbridge") + 1 :][:2] if "npsbridge" in words else ["run"])
    for line in text.splitlines():
        OUTPUTS.hear(source, line, is_impersonal=is_impersonal and not _is_quiet(line))


def _is_quiet(line: str) -> bool:
    """Whether a line of the log is told to developers only."""
    try:
        return json.loads(line).get("level") in _QUIET_LINES
    except (ValueError, AttributeError):
        return False
