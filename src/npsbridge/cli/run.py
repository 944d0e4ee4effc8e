"""`npsbridge run`."""

import asyncio
import importlib
import importlib.util
from functools import partial
from pathlib import Path

from npsbridge.app.daemon import serve
from npsbridge.platforms import settings_classes
from npsbridge.settings import load


def run_daemon(env_file: Path | None) -> None:
    """Run the daemon; on uvloop where it is installed (extra `npsbridge[fast]`)."""
    read = partial(load, settings_classes(), env_file=env_file)
    has_uvloop = importlib.util.find_spec("uvloop") is not None
    factory = importlib.import_module("uvloop").new_event_loop if has_uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(read))
