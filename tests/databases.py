"""A real PostgreSQL for the tests: one server for the whole run, an empty schema of its own for each test.

Schemas are emptied and used again, for to make one takes longer than most tests. The server's programs come from the
wheel `pgserver`, so nothing has to be installed by hand; POSTGRES_PROGRAMS names the folder of another release's. Where
the wheel is missing tests skip, and fail with REQUIRE_ALL_TESTS=1.
"""

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

from inspector import Inspector

START_SECONDS = 60.0
STOP_SECONDS = 30.0
NOBODY = "nobody"
"""PostgreSQL refuses to run as root."""
SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "64MB",
    # Every commit waits for the disk, as it has to; autovacuum comes as often as it would under real load.
    "fsync": "on",
    "autovacuum_naptime": "5s",
}
# Ends the server with the process that reads from this one, however that ends.
WATCHED = 'exec 3<&0; "$@" </dev/null & pid=$!; cat <&3 >/dev/null; kill -INT $pid; wait $pid'

MEMORY = Path("/dev/shm")  # noqa: S108 - the server makes a folder of its own below it
"""Where its files are, if there is room: many tests share this disk."""
ROOM = 1 << 30

_numbers = count(1)
_handed_out: dict[Path | int, str] = {}
"""Schemas, by what they were asked for."""
_used: list[str] = []


@dataclass(slots=True)
class Server:
    """A running server; `stop` and `start` are for tests of its loss, on a server of their own."""

    programs: Path
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [self.programs / "postgres", "-D", self.data, "-k", self.folder, *settings]
        log = (self.folder / "log").open("ab")
        with log:
            self.process = subprocess.Popen(  # noqa: S603 - programs of our own
                ["/bin/sh", "-c", WATCHED, "sh", *map(str, command)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                user=_user(),
                start_new_session=True,
            )
        self._wait()

    def stop(self, *, at_once: bool = False) -> None:
        """End it; at once is as in a crash."""
        if self.process is None:
            return
        if at_once:
            os.kill(self.postmaster, signal.SIGQUIT)  # no last words, recovery at the next start
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.wait(STOP_SECONDS)
        self.process = None

    def kill(self) -> None:
        """End all of its processes by SIGKILL; start it again, for only that frees its shared memory."""
        for number in self.processes():
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still for the length of a block: connections stay, and nothing is answered."""
        stopped = self.processes()
        for number in stopped:
            os.kill(number, signal.SIGSTOP)
        try:
            yield
        finally:
            for number in stopped:
                os.kill(number, signal.SIGCONT)

    def processes(self) -> list[int]:
        """Its first process, and those that this one has started."""
        first = self.postmaster
        children = Path(f"/proc/{first}/task/{first}/children").read_text()
        return [first, *map(int, children.split())]

    def promote(self) -> None:
        """Have a standby take writes."""
        self._run("pg_ctl", "promote", "-D", str(self.data), "--wait")

    def standby(self) -> "Server":
        """A server that follows this one; the caller starts and removes it."""
        follower = Server(self.programs, _new_folder())
        follower._run(
            "pg_basebackup", "-h", str(self.folder), "-U", "postgres", "-D", str(follower.data), "-R", "-c", "fast"
        )
        return follower

    def _run(self, program: str, *options: str) -> None:
        subprocess.run(  # noqa: S603 - programs of our own
            [self.programs / program, *options],
            check=True,
            capture_output=True,
            user=_user(),
            cwd=self.folder,
            timeout=START_SECONDS,
        )

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def postmaster(self) -> int:
        """The number of its first process."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def url(self, schema: str) -> str:
        """Of a schema, whether it is there or not."""
        return f"postgresql://postgres@/postgres?host={quote(str(self.folder))}&search_path={schema}"

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is not None and self.process.poll() is not None:
                break
            pid_file = self.data / "postmaster.pid"
            if pid_file.exists() and pid_file.read_text().rstrip().endswith(("ready", "standby")):
                return
            time.sleep(0.02)
        raise AssertionError((self.folder / "log").read_text())


def new_server() -> Server:
    """A server of its own, in a fresh folder; the caller starts and stops it."""
    server = Server(_programs(), _new_folder())
    server._run("initdb", "-D", str(server.data), "-U", "postgres", "--auth=trust", "--encoding=utf8", "--no-sync")
    return server


def _new_folder() -> Path:
    has_room = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    folder = Path(tempfile.mkdtemp(prefix="npsbridge-pg-", dir=MEMORY if has_room else None))
    if (user := _user()) is not None:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


@cache
def the_server() -> Server:
    """The one that all tests share, from its first use to the end of the run."""
    server = new_server()
    server.start()
    atexit.register(remove, server)
    return server


def remove(server: Server) -> None:
    """Stop a server and leave nothing of it."""
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@cache
def inspector() -> Inspector:
    """Whoever looks into that server, beside whatever the tests do."""
    made = Inspector(the_server().url("public"))
    atexit.register(made.close)
    return made


def postgres_url(named: Path | None = None) -> str:
    """The URL of an empty store, and of the same one for the same name; after the test others may use it."""
    if named not in _handed_out:
        _handed_out[named or next(_numbers)] = schema = _empty_schema()
    else:
        schema = _handed_out[named]
    return the_server().url(schema)


def _empty_schema() -> str:
    """One that others have used, or a new one."""
    if not _used:
        return f"t{next(_numbers)}"
    schema = _used.pop()
    inspector().hang_up()
    inspector().empty(schema)
    return schema


def handed_out() -> list[str]:
    """The schemas of the stores that this test has asked for."""
    return list(_handed_out.values())


def schema_of(url: str) -> str:
    """Which schema a URL names."""
    return url.rpartition("search_path=")[2]


def take_back() -> None:
    """Have all stores used again that were handed out; nobody has one open."""
    _used.extend(_handed_out.values())
    _handed_out.clear()


def _user() -> str | None:
    return NOBODY if os.geteuid() == 0 else None


@cache
def _programs() -> Path:
    """Where the programs are, readable for whoever has to run them."""
    if folder := os.environ.get("POSTGRES_PROGRAMS"):
        return Path(folder)
    found = find_spec("pgserver")
    if found is None or found.origin is None:
        reason = "pgserver, which brings PostgreSQL, is not installed: pip install 'npsbridge[test]'"
        if os.environ.get("REQUIRE_ALL_TESTS") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    installed = Path(found.origin).parent / "pginstall"
    if _can_run(installed / "bin" / "initdb"):
        return installed / "bin"
    copy = Path(tempfile.mkdtemp(prefix="npsbridge-pg-programs-"))
    copy.chmod(0o755)
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree(installed, copy / "pginstall", symlinks=True)
    for one in (copy / "pginstall").rglob("*"):
        one.chmod(
            one.stat().st_mode | 0o555 if one.is_dir() or one.parent.name == "bin" else one.stat().st_mode | 0o444
        )
    return copy / "pginstall" / "bin"


def _can_run(program: Path) -> bool:
    try:
        subprocess.run([program, "--version"], check=True, capture_output=True, user=_user(), timeout=10)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return False
    return True
