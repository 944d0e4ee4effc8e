"""Child processes of the benchmark, and what the kernel knows of them."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
COMMAND = str(Path(sys.executable).with_name("npsbridge"))
LONGEST_START = 120.0
LONGEST_STOP = 60.0
LONGEST_WAIT = 900.0
TICK = 1.0 / os.sysconf("SC_CLK_TCK")

Child = subprocess.Popen[str]


@contextlib.contextmanager
def process(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, folder: str | Path | None = None
) -> Iterator[Child]:
    """A child process, asked to end at the end and ended if it does not."""
    child = subprocess.Popen(  # noqa: S603 - our own commands
        command, env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.communicate(timeout=LONGEST_STOP)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()


@contextlib.contextmanager
def worker(name: str, *arguments: object) -> Iterator[tuple[Child, dict[str, Any]]]:
    """One of the programs beside this file, and the first line it says."""
    with process([sys.executable, str(HERE / f"{name}.py"), *map(str, arguments)]) as child:
        yield child, line(child)


@contextlib.contextmanager
def daemon(folder: Path, **settings: str) -> Iterator[tuple[Child, "Daemon"]]:
    """The real command on the store of a folder, ready; settings are named without their prefix."""
    place = Daemon(folder)
    own = {name: value for name, value in os.environ.items() if not name.startswith("NPSBRIDGE_")}
    given = {"LISTEN": f"127.0.0.1:{place.port}", "ADMIN_LISTEN": f"127.0.0.1:{place.admin_port}"}
    given |= {"LOG_LEVEL": "ERROR", **settings}
    environment = own | {f"NPSBRIDGE_{name}": value for name, value in given.items()}
    place.started = time.monotonic()
    with process([COMMAND, "run"], env=environment, folder=folder) as child:
        place.ready = place.until_ready(child)
        yield child, place


class Daemon:
    """Where a daemon listens and keeps its store."""

    def __init__(self, folder: Path) -> None:
        self.store = folder / "npsbridge.db"
        self.port, self.admin_port = free_port(), free_port()
        self.started = self.ready = 0.0

    @property
    def ready_seconds(self) -> float:
        """From the start of the process to the first yes of /readyz."""
        return self.ready - self.started

    def until_ready(self, child: Child) -> float:
        """The monotonic time at which /readyz first says yes."""
        url, deadline = f"http://127.0.0.1:{self.admin_port}/readyz", time.monotonic() + LONGEST_START
        while time.monotonic() < deadline and child.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
                return time.monotonic()
            time.sleep(0.01)
        raise SystemExit("the daemon did not become ready")


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def line(child: Child) -> dict[str, Any]:
    """What a child says next; ends the benchmark when it says nothing more."""
    text = child.stdout.readline() if child.stdout else ""
    if not text:
        raise SystemExit("a process of the benchmark ended too early")
    found: dict[str, Any] = json.loads(text)
    return found


# --- what the kernel knows (proc(5)) ------------------------------------------------------------------------------


def cpu_seconds(child: Child) -> float:
    """User and system time so far: fields 14 and 15 of `stat`."""
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def run_seconds(child: Child) -> float:
    """Time on a core so far, of all threads; finer than `stat`: the first field of `schedstat`."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{child.pid}/task").glob("*/schedstat")) / 1e9


def memory_mib(child: Child, name: str = "VmHWM") -> float:
    """A line of `status`: VmRSS is the resident size now, VmHWM the largest so far."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{child.pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def written_bytes(child: Child) -> int:
    """What it has had written to a disk: `write_bytes` of `io`."""
    found = re.search(r"^write_bytes: (\d+)", Path(f"/proc/{child.pid}/io").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def used(child: Child) -> dict[str, float]:
    """What a child has taken in all."""
    return {"cpu_s": cpu_seconds(child), "peak_rss_mib": memory_mib(child)}
