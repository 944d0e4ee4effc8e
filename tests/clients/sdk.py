"""The SDKs that others wrote for the tracking API, each run in a process of its own as its users run it.

The newest for Python come with `pip install 'npsbridge[clients]'`. What cannot live beside them is named by the
environment: `SEGMENT_PYTHON_2_3_4` is an interpreter that has segment-analytics-python 2.3.4, `NODE_SDKS` a folder in
which npm has installed @segment/analytics-node and @rudderstack/rudder-sdk-node.
"""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clients.conftest import give_up, require_or_skip

# These are no test modules, but their asserts should explain themselves all the same; whoever uses them imports this
# module first, for imports are sorted.
pytest.register_assert_rewrite("clients.sdk_contract", "clients.shop")

DRIVERS = Path(__file__).parent / "drivers"
PATIENCE = 60.0
"""Seconds that an SDK may take for everything, its retries included."""

Call = Mapping[str, Any]
"""In Segment's words: `type`, `userId`, ..."""


@dataclass(frozen=True, kw_only=True)
class Sdk:
    """One SDK, in one way of using it."""

    command: Callable[[], list[str]]
    """What runs its driver; skips the test, or fails it, where the SDK is not installed."""
    gzip: bool

    async def send(self, calls: Sequence[Call], *, url: str, write_key: str) -> list[str]:
        """Send calls and wait until the SDK is done with them; what it reported to its error handler.

        Raises:
            TimeoutError: it was not done in time.
        """
        task = {"url": url, "write_key": write_key, "gzip": self.gzip, "calls": calls}
        process = await asyncio.create_subprocess_exec(
            *self.command(),
            env={"PATH": os.environ.get("PATH", ""), "NODE_PATH": str(node_modules()), "NO_PROXY": "*"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, complaints = await asyncio.wait_for(process.communicate(json.dumps(task).encode()), PATIENCE)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, complaints.decode()
        return list(json.loads(output))


def node_modules() -> Path:
    """Where Node finds packages."""
    return Path(os.environ.get("NODE_SDKS", "")) / "node_modules"


def python_sdk(module: str) -> list[str]:
    """The driver of an SDK that is installed beside the tests."""
    require_or_skip(module.partition(".")[0])
    return [sys.executable, str(DRIVERS / "python_sdk.py"), module]


def segment_python_2_3_4() -> list[str]:
    """The driver under the interpreter that has the old version."""
    interpreter = os.environ.get("SEGMENT_PYTHON_2_3_4")
    if not interpreter or not Path(interpreter).is_file():
        give_up("SEGMENT_PYTHON_2_3_4 does not name an interpreter that has segment-analytics-python 2.3.4")
    return [interpreter, str(DRIVERS / "python_sdk.py"), "segment.analytics"]


def node_sdk(package: str, driver: str) -> list[str]:
    """The driver of an SDK for Node."""
    node = shutil.which("node")
    if node is None:
        give_up("node is not installed")
    if not (node_modules() / package).is_dir():
        give_up(f"NODE_SDKS does not name a folder in which npm has installed {package}")
    return [node, str(DRIVERS / driver)]
