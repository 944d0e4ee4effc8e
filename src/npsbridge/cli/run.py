"""`npsbridge run`."""

import asyncio
import gc
import importlib
import importlib.util
from functools import partial
from pathlib import Path

import aiohttp
from loguru import logger

from npsbridge.app.daemon import serve
from npsbridge.cli.ending import INTERNAL, leaves
from npsbridge.errors import ConfigurationError, NpsbridgeError
from npsbridge.platforms import settings_classes
from npsbridge.settings import load

GARBAGE = 20_000
"""Containers made and not yet gone, after which the collector looks at the young ones."""


def run_daemon(env_file: Path | None) -> int:
    """Run the daemon; on uvloop and with ISA-L's gzip where they are installed (extra `npsbridge[fast]`).

    What ends it early goes to its log, which may be one that only takes JSON.

    Raises:
        ConfigurationError: the settings cannot be used; nothing was started.
    """
    _collect_rarely()
    read = partial(load, settings_classes(), env_file=env_file)
    if importlib.util.find_spec("isal"):
        aiohttp.set_zlib_backend(importlib.import_module("isal.isal_zlib"))
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    factory = importlib.import_module("uvloop").new_event_loop if has_uvloop else None
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(serve(read))
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever ends the daemon is in its log, with an exit code
        return _logged(error)
    return 0


def _collect_rarely() -> None:
    """Have the collector look less often, and never at what is loaded already; what dies young, dies without it."""
    gc.freeze()
    gc.set_threshold(GARBAGE, 20, 20)
    gc.enable()


def _logged(error: BaseException) -> int:
    causes = sorted(leaves(error), key=lambda cause: not isinstance(cause, NpsbridgeError))
    for cause in causes:
        if isinstance(cause, NpsbridgeError):
            logger.critical("The daemon ends: {}", cause)
        else:
            logger.opt(exception=cause).critical("The daemon failed unexpectedly and ends")
    first = causes[0]
    return first.exit_code if isinstance(first, NpsbridgeError) else INTERNAL
