"""One line per message, and no secret in any."""

import base64
import io
import json
import logging
import os
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from npsbridge import telemetry
from npsbridge.telemetry import REASONS_TOLD, Redactor, hears, of_several, register_secrets, start_logging

SECRET = "k3y/with+\"odd' \\ñ"


@pytest.fixture(autouse=True)
def _own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test knows its own secrets, and leaves logging as it was."""
    monkeypatch.setattr(telemetry, "redact", Redactor())
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logger.remove()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def started(log_format: str = "json", *, level: str = "INFO", secrets: tuple[str, ...] = ()) -> io.StringIO:
    stream = io.StringIO()
    start_logging(level, log_format, secrets=secrets, stream=stream)
    return stream


def only_object(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def fail(error: Exception) -> None:
    raise error


# --- the shape of a line ----------------------------------------------------------------------------------------


def test_a_message_is_one_json_object_with_what_was_bound_to_it() -> None:
    stream = started()
    logger.bind(connection="delighted", pages=3, share=0.5, done=True).info("Backfill finished")
    found = only_object(stream)
    assert found.pop("ts").endswith("Z")
    assert found == {
        "level": "INFO",
        "logger": found["logger"],
        "message": "Backfill finished",
        "connection": "delighted",
        "pages": 3,
        "share": 0.5,
        "done": True,
    }


def test_the_time_is_utc_with_milliseconds() -> None:
    stream = started()
    logger.info("Started")
    assert len(only_object(stream)["ts"]) == len("2024-01-31T10:00:00.000Z")


def test_a_bound_name_cannot_hide_a_part_of_the_message() -> None:
    stream = started()
    logger.bind(message="other", level="other").info("Started")
    found = only_object(stream)
    assert (found["message"], found["message_"], found["level"]) == ("Started", "other", "INFO")


@pytest.mark.parametrize("value", [float("nan"), {1: {2, 3}}, ("a", None), object(), b"\xff", "\ud800"])
def test_anything_bound_still_makes_valid_json(value: object) -> None:
    stream = started()
    logger.bind(value=value).info("Started")
    assert "value" in only_object(stream)


def test_what_cannot_be_printed_does_not_cost_the_message() -> None:
    class Unprintable:
        def __str__(self) -> str:
            raise RuntimeError

    stream = started()
    logger.bind(value=Unprintable()).info("Started")
    assert only_object(stream)["value"] == "<unprintable Unprintable>"


@pytest.mark.parametrize(("stream", "is_text"), [(Terminal(), True), (io.StringIO(), False)])
def test_auto_is_text_on_a_terminal_and_json_elsewhere(stream: io.StringIO, *, is_text: bool) -> None:
    start_logging("INFO", "auto", stream=stream)
    logger.info("Started")
    assert stream.getvalue().startswith("{") is not is_text


def test_a_line_of_text_has_time_level_message_and_what_was_bound() -> None:
    stream = started("text")
    logger.bind(connection="delighted").warning("Key refused")
    time, level, _, rest = stream.getvalue().rstrip("\n").split(maxsplit=3)
    assert (time[-1], level, rest) == ("Z", "WARNING", "Key refused connection=delighted")


def test_text_from_outside_cannot_forge_a_line_or_steer_a_terminal() -> None:
    stream = started("text")
    logger.bind(name="x\n2024 ERROR forged").info("Seen \x1b[2J\r")
    (line,) = stream.getvalue().splitlines()
    assert r"x\n2024 ERROR forged" in line
    assert r"\x1b[2J\r" in line


def test_messages_below_the_level_are_not_shown() -> None:
    stream = started(level="WARNING")
    logger.info("Started")
    logging.getLogger("some.library").info("Started")
    assert stream.getvalue() == ""


def test_starting_again_replaces_what_was_before() -> None:
    first, second = started(), started("text", level="DEBUG")
    logger.debug("Reloaded")
    assert first.getvalue() == ""
    assert "Reloaded" in second.getvalue()


def test_a_stream_that_cannot_be_written_does_not_stop_the_daemon() -> None:
    stream = started()
    stream.close()
    logger.info("Started")
    start_logging("INFO", "json", stream=(again := io.StringIO()))
    logger.info("Started again")
    assert only_object(again)["message"] == "Started again"


def test_a_stream_of_few_characters_gets_the_others_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    start_logging("INFO", "text", stream=stream)
    logger.info("Größe ☃")
    assert rb"Gr\xf6\xdfe \u2603" in raw.getvalue()


# --- the journal ------------------------------------------------------------------------------------------------


def test_text_for_the_journal_has_a_priority_on_every_line(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path_factory.mktemp("journal") / "stream").open("w+", encoding="utf-8") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        start_logging("INFO", "text", stream=stream)
        logger.info("Started")
        logger.opt(exception=ValueError("broken")).error("Page failed")
        stream.seek(0)
        lines = stream.read().splitlines()
    assert lines[0].startswith("<6>INFO")
    assert len(lines) > 1
    assert all(line.startswith("<3>") for line in lines[1:])


def test_an_object_for_the_journal_has_its_priority_before_it(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path_factory.mktemp("journal") / "stream").open("w+", encoding="utf-8") as stream:
        status = os.fstat(stream.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        start_logging("INFO", "auto", stream=stream)
        logger.info("Started")
        logger.opt(exception=ValueError("broken")).error("Page failed")
        stream.seek(0)
        first, second = stream.read().splitlines()
    assert (first[:3], json.loads(first[3:])["message"]) == ("<6>", "Started")
    assert (second[:3], json.loads(second[3:])["level"]) == ("<3>", "ERROR")


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_journal_that_somebody_else_writes_to_is_not_ours(monkeypatch: pytest.MonkeyPatch, log_format: str) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    stream = started(log_format)
    logger.info("Started")
    assert not stream.getvalue().startswith("<")


@pytest.mark.parametrize(("level", "heard"), [("INFO", ["INFO", "ERROR"]), ("DEBUG", ["DEBUG", "INFO", "ERROR"])])
def test_what_nobody_hears_need_not_be_put_together(level: str, heard: list[str]) -> None:
    started(level=level)
    assert [one for one in ("DEBUG", "INFO", "ERROR") if hears(one)] == heard


# --- secrets ----------------------------------------------------------------------------------------------------


def forms(secret: str) -> list[str]:
    return [
        secret,
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode(),
        base64.b64encode(f"{secret}:".encode()).decode(),
    ]


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("form", forms(SECRET))
def test_i19_f43_a_secret_is_in_no_message_no_bound_value_and_no_traceback(log_format: str, form: str) -> None:
    stream = started(log_format, secrets=(SECRET,))
    bound = {"text": form, "nested": {form: [form]}, "error": ValueError(form), "bytes": form.encode()}
    try:
        fail(ValueError(f"refused {form}"))
    except ValueError:
        logger.bind(**bound).exception(f"Key {form} refused")
    shown = stream.getvalue()
    assert "***" in shown
    assert not [other for other in forms(SECRET) if other in shown or json.dumps(other)[1:-1] in shown]
    assert "k3y" not in shown


def test_i19_a_secret_is_not_shown_by_other_libraries_either() -> None:
    stream = started(secrets=(SECRET,))
    logging.getLogger("aiohttp.client").error("Cannot use %s", SECRET)
    assert only_object(stream)["message"] == "Cannot use ***"


def test_i19_a_traceback_shows_no_local_variables() -> None:
    stream = started()
    local = "canary-" + "4f1c9e"
    try:
        fail(ValueError(len(local)))
    except ValueError:
        logger.exception("Page failed")
    assert "ValueError: 13" in only_object(stream)["exception"]
    assert "canary-4f1c9e" not in stream.getvalue()


def test_a_number_that_is_a_secret_is_replaced_too() -> None:
    stream = started(secrets=("12345678",))
    logger.bind(key=12345678, count=1234).info("Started")
    found = only_object(stream)
    assert (found["key"], found["count"]) == ("***", 1234)


def test_secrets_registered_later_join_those_known() -> None:
    stream = started(secrets=("first-secret",))
    register_secrets(["second-secret"])
    logger.info("first-secret second-secret")
    assert only_object(stream)["message"] == "*** ***"


def test_a_short_secret_does_not_riddle_other_words() -> None:
    stream = started(secrets=("art",))
    logger.info("Started art")
    assert only_object(stream)["message"] == "Started ***"


def test_an_empty_secret_replaces_nothing() -> None:
    redact = Redactor()
    redact.add([""])
    assert redact("Started") == "Started"


@given(secret=st.text(st.characters(exclude_characters="*"), min_size=6), before=st.text(), after=st.text())
def test_i19_no_text_around_a_secret_makes_it_visible(secret: str, before: str, after: str) -> None:
    redact = Redactor()
    redact.add([secret])
    assert secret not in redact(f"{before}{secret}{after}")


# --- what others log --------------------------------------------------------------------------------------------


def test_what_the_standard_library_logs_keeps_its_level_and_its_loggers_name() -> None:
    stream = started()
    logging.getLogger("asyncio").warning("Executing %s took long", "a task")
    found = only_object(stream)
    assert (found["level"], found["logger"], found["message"]) == (
        "WARNING",
        "asyncio",
        "Executing a task took long",
    )


def test_an_exception_of_another_library_comes_with_its_traceback() -> None:
    stream = started()
    try:
        fail(OSError("no route"))
    except OSError:
        logging.getLogger("aiohttp.server").exception("Error handling request")
    assert "OSError: no route" in only_object(stream)["exception"]


def test_a_level_of_its_own_and_a_bad_format_are_shown_as_well() -> None:
    stream = started()
    logging.getLogger("some.library").log(35, "100%% of %d", "no number")
    assert only_object(stream)["message"] == "100%% of %d"


def test_requests_are_not_listed_at_info() -> None:
    stream = started()
    logging.getLogger("aiohttp.access").info("GET /hooks/retently/token")
    assert stream.getvalue() == ""


def test_one_line_for_several_has_their_number_and_each_of_the_first_reasons_once() -> None:
    reasons = ["full", "gone", "full", *(f"other {number}" for number in range(9))]
    told = of_several(reasons)
    assert told["count"] == len(reasons)
    assert told["reason"].split("; ") == ["full", "gone", "other 0"][:REASONS_TOLD]
    assert of_several(["full", "full"]) == {"count": 2, "reason": "full"}


def test_warnings_are_logged() -> None:
    stream = started()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old-fashioned", stacklevel=1)
    assert only_object(stream)["logger"] == "py.warnings"
