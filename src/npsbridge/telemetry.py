"""Logging: one sink for everything, one object or line per message, and no secret in any of them.

Must not know what is logged about. Metrics live in `metrics`.

Levels mean something:

* ERROR: data is lost, or a person is needed.
* WARNING: unexpected, nothing lost.
* INFO: rare milestones; normal work is silent here, and so is everything personal.
* DEBUG and TRACE: what a developer asks for.

A message is a constant sentence (noun, past verb); what varies is bound to it, so that one search tells the life of a
thing: `logger.bind(connection="delighted", pages=3).info("Backfill finished")`. An outage is two messages, one when it
starts and one when it ends.
"""

import base64
import contextlib
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final, TextIO
from urllib.parse import quote, quote_plus

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

REDACTED = "***"
# Shorter forms are replaced only where they stand alone, or they would riddle every line.
_SHORT = 6
# Bound names that would hide a part of the message itself get an underscore.
_RESERVED = frozenset({"ts", "level", "logger", "message", "exception"})
# syslog(3) priorities, as systemd reads them from the start of a line (sd-daemon(3)).
_PRIORITIES = {"TRACE": 7, "DEBUG": 7, "INFO": 6, "SUCCESS": 5, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}

NAMED: Final = 10
REASONS_TOLD: Final = 3
"""Of the things that one line tells of: how many it names, and with how many reasons."""


# --- secrets ----------------------------------------------------------------------------------------------------


class Redactor:
    """Replaces secrets, in every form they commonly take, by `***`."""

    def __init__(self) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, secrets: Iterable[str]) -> None:
        """Know more secrets; those known stay known, because work in flight may still carry them."""
        self._forms.update(form for secret in secrets if secret for form in _forms_of(secret))
        # Longest first, so that no form hides inside a longer one and leaves its tail behind.
        ordered = sorted(self._forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(_form_pattern, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text


def _forms_of(secret: str) -> Iterator[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    yield secret
    yield from (quote(raw, safe=""), quote(raw), quote_plus(raw))
    yield from (
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    )
    # Alone, and as the user or the password of HTTP Basic.
    for content in (raw, raw + b":", b":" + raw):
        for encoded in (base64.b64encode(content).decode(), base64.urlsafe_b64encode(content).decode()):
            yield from (encoded, encoded.rstrip("="))


def _form_pattern(form: str) -> str:
    return re.escape(form) if len(form) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"


redact = Redactor()
"""Takes the registered secrets out of a text."""


def register_secrets(secrets: Iterable[str]) -> None:
    """Keep these out of every line from now on; may be called again, and forgets nothing."""
    redact.add(secrets)


# --- lines ------------------------------------------------------------------------------------------------------


def of_several(reasons: Sequence[str]) -> dict[str, Any]:
    """What a line binds that tells of several things at once: how many, and the first of their reasons."""
    return {"count": len(reasons), "reason": "; ".join(list(dict.fromkeys(reasons))[:REASONS_TOLD])}


# --- levels -----------------------------------------------------------------------------------------------------


class _Shown:
    """From which level on messages are shown; everything, until `start_logging` says otherwise."""

    level = 0


def hears(level: str) -> bool:
    """Whether anybody hears of messages of a level; otherwise what is said of each single event is not put together."""
    return logger.level(level).no >= _Shown.level


# --- starting ---------------------------------------------------------------------------------------------------


def start_logging(level: str, log_format: str, *, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Send everything that is logged, by us or through the standard library, to one stream; replaces what was before.

    Args:
        level: the lowest level that is shown, in loguru's words.
        log_format: `text`, `json`, or `auto`: text on a terminal, else JSON.
        secrets: what must never be shown.
        stream: where to; standard error when left out.
    """
    stream = stream or sys.stderr
    register_secrets(secrets)
    is_text = log_format == "text" or (log_format == "auto" and stream.isatty())
    in_journal = _is_journal(stream)
    render = _text_renderer(in_journal=in_journal) if is_text else _json_renderer(in_journal=in_journal)
    logger.remove()
    # `catch` would print the raw record, secrets and all, when a sink fails; ours does not.
    logger.add(
        _sink(stream, render),
        level=level,
        format=_nothing,
        colorize=False,
        diagnose=False,
        backtrace=False,
        catch=False,
    )
    _Shown.level = logger.level(level).no
    _route_standard_logging(level)


def _nothing(_: "Record") -> str:
    """Our sink renders the record itself; loguru's rendering would only cost time."""
    return ""


def _sink(stream: TextIO, render: "Callable[[Record], str]") -> "Callable[[Message], None]":
    def write(message: "Message") -> None:
        # A log that cannot be written has nowhere to complain, and must not stop the daemon.
        with contextlib.suppress(OSError, ValueError):
            line = render(message.record)
            encoding = stream.encoding or "utf-8"
            stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            stream.flush()

    return write


def _is_journal(stream: TextIO) -> bool:
    """Whether the stream leads to systemd's journal, which $JOURNAL_STREAM names by device and inode."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


# --- rendering --------------------------------------------------------------------------------------------------


def _json_renderer(*, in_journal: bool) -> "Callable[[Record], str]":
    """One object a line; the journal takes the priority before it away again, and keeps it (sd-daemon(3))."""
    return (lambda record: _priority(record) + _render_json(record)) if in_journal else _render_json


def _priority(record: "Record") -> str:
    return f"<{_PRIORITIES.get(record['level'].name, 6)}>"


def _render_json(record: "Record") -> str:
    line: dict[str, Any] = {
        "ts": _instant(record),
        "level": record["level"].name,
        "logger": _logger_name(record),
        "message": redact(record["message"]),
    }
    line.update(_bound(record))
    if text := _exception_text(record):
        line["exception"] = text
    return json.dumps(line)


def _text_renderer(*, in_journal: bool) -> "Callable[[Record], str]":
    def render(record: "Record") -> str:
        level = record["level"].name
        bound = "".join(f" {name}={value}" for name, value in _bound(record).items())
        head = _one_line(f"{level:<8} {_logger_name(record)}: {redact(record['message'])}{bound}")
        lines = [head, *_exception_text(record).splitlines()]
        if not in_journal:
            return "\n".join([f"{_instant(record)} {head}", *map(_one_line, lines[1:])])
        # The journal has its own clock, and takes every line for a message with a priority of its own.
        return "\n".join(_priority(record) + _one_line(line) for line in lines)

    return render


def _instant(record: "Record") -> str:
    return record["time"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _logger_name(record: "Record") -> str:
    return str(record["extra"].get("logger") or record["name"] or "npsbridge")


def _bound(record: "Record") -> dict[str, Any]:
    extras = {name: value for name, value in record["extra"].items() if name != "logger"}
    return {f"{name}_" if name in _RESERVED else redact(name): _shown(value) for name, value in extras.items()}


def _shown(value: object) -> Any:
    """A bound value as JSON can carry it, without secrets."""
    match value:
        case None | bool():
            return value
        case int() | float():
            text = str(value)
            return value if redact(text) == text and value - value == 0 else redact(text)
        case Mapping():
            return {redact(_printed(name)): _shown(member) for name, member in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_shown(member) for member in value]
        case _:
            return redact(_printed(value))


def _printed(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - what cannot be printed must not cost the message it belongs to
        return f"<unprintable {type(value).__name__}>"


def _exception_text(record: "Record") -> str:
    """The traceback, without the values of local variables."""
    exception = record["exception"]
    if exception is None or exception.type is None:
        return ""
    lines = traceback.format_exception(exception.type, exception.value, exception.traceback)
    return redact("".join(lines)).rstrip("\n")


def _one_line(text: str) -> str:
    """Text whose control characters cannot forge another line or steer a terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


# --- the standard library's logging -----------------------------------------------------------------------------


class _ToLoguru(logging.Handler):
    """Hands what other libraries log (aiohttp, asyncio, warnings) to our sink."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on, under the name of its own logger."""
        level: str | int = record.levelname if record.levelname in _PRIORITIES else record.levelno
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's mistake in a log call must not stop its work
            text = str(record.msg)
        logger.bind(logger=record.name).opt(exception=record.exc_info).log(level, text)


def _route_standard_logging(level: str) -> None:
    logging.basicConfig(handlers=[_ToLoguru()], level=logger.level(level).no, force=True)
    # One line per request is no milestone, and its path may hold a hook's token.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
