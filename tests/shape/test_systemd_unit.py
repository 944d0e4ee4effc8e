"""The unit file is what systemd accepts, is hardened, and agrees with the daemon."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import needed
from clients.conftest import give_up
from npsbridge.errors import (
    ConfigurationError,
    NpsbridgeError,
    StoreLocked,
    StorePermission,
    StoreUnusable,
)
from npsbridge.platforms import settings_classes
from npsbridge.settings import Settings, describe

UNIT = Path(__file__).parents[2] / "systemd" / "npsbridge.service"
COMMAND = "/opt/npsbridge/bin/npsbridge"
USAGE = 64


def directives(text: str) -> dict[str, list[str]]:
    """Every `Key=value` of a unit, by key, in order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture(scope="module")
def unit() -> Mapping[str, list[str]]:
    return directives(UNIT.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def analyze() -> str:
    return needed.program("systemd-analyze", package="systemd")


def complaints(analyze: str, folder: Path, text: str) -> str:
    """What `verify` says of a unit in which only the command is another one, because ours is not installed here."""
    copy = folder / UNIT.name
    copy.write_text(text.replace(COMMAND, shutil.which("true") or "/bin/true"), encoding="utf-8")
    # Unknown directives are only warned of, with status 0: what is said counts.
    command = [analyze, "verify", "--man=no", "--recursive-errors=no", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - fixed words
    return done.stdout + done.stderr + (f"status {done.returncode}" if done.returncode else "")


# --- what systemd says ------------------------------------------------------------------------------------------


def test_systemd_finds_nothing_wrong_with_the_unit(analyze: str, tmp_path: Path) -> None:
    assert complaints(analyze, tmp_path, UNIT.read_text(encoding="utf-8")) == ""


@pytest.mark.parametrize(("good", "bad"), [("WatchdogSec=30", "WatchdogSec=soon"), ("UMask=", "Umask=")])
def test_systemd_would_find_a_slip_in_the_unit(analyze: str, tmp_path: Path, good: str, bad: str) -> None:
    text = UNIT.read_text(encoding="utf-8")
    assert good in text
    assert UNIT.name in complaints(analyze, tmp_path, text.replace(good, bad))


def test_the_unit_is_hardened(analyze: str) -> None:
    command = [analyze, "security", "--offline=true", "--threshold=15", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - fixed words
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


# --- what the daemon needs --------------------------------------------------------------------------------------


def test_the_command_is_at_a_fixed_path_with_its_env_file(unit: Mapping[str, list[str]]) -> None:
    assert unit["ExecStart"] == [f"{COMMAND} run --env-file /etc/npsbridge/npsbridge.env"]


def test_the_daemon_tells_when_it_is_ready_and_alive(unit: Mapping[str, list[str]]) -> None:
    assert (unit["Type"], unit["NotifyAccess"]) == (["notify"], ["main"])
    assert int(unit["WatchdogSec"][0]) >= 10


def test_a_reload_is_a_hangup(unit: Mapping[str, list[str]]) -> None:
    assert unit["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_systemd_waits_longer_than_the_daemon_takes_to_stop(unit: Mapping[str, list[str]]) -> None:
    assert int(unit["TimeoutStopSec"][0]) >= Settings().shutdown_timeout + 10


def test_an_error_that_only_a_person_can_mend_is_not_tried_again(unit: Mapping[str, list[str]]) -> None:
    hopeless = {USAGE, *(kind.exit_code for kind in (StoreUnusable, StorePermission, ConfigurationError))}
    assert unit["Restart"] == ["on-failure"]
    assert set(map(int, unit["RestartPreventExitStatus"][0].split())) == hopeless == {64, 65, 77, 78}


@pytest.mark.parametrize("kind", [NpsbridgeError, StoreLocked])
def test_passing_trouble_is_tried_again(unit: Mapping[str, list[str]], kind: type[NpsbridgeError]) -> None:
    assert str(kind.exit_code) not in unit["RestartPreventExitStatus"][0].split()


def test_the_sockets_it_needs_are_allowed_and_no_others(unit: Mapping[str, list[str]]) -> None:
    assert unit["RestrictAddressFamilies"] == ["AF_UNIX AF_INET AF_INET6"]


def test_the_process_metrics_can_read_proc(unit: Mapping[str, list[str]]) -> None:
    assert "ProcSubset" not in unit


def test_the_state_is_where_the_store_is_looked_for_and_nobody_else_can_open_it(unit: Mapping[str, list[str]]) -> None:
    assert (unit["StateDirectory"], unit["StateDirectoryMode"], unit["UMask"]) == (["npsbridge"], ["0700"], ["0077"])


def test_every_secret_setting_can_come_as_a_credential(unit: Mapping[str, list[str]]) -> None:
    loaded = {value.partition(":")[0] for value in unit["LoadCredential"]}
    secrets = {doc.name.removeprefix("NPSBRIDGE_").lower() for doc in describe(settings_classes()) if doc.secret}
    assert loaded == secrets | {"store_url"}


def test_a_credential_that_nobody_made_does_not_stop_the_start(unit: Mapping[str, list[str]]) -> None:
    """systemd passes over a missing credential only when it is named without a path (systemd.exec(5))."""
    for value in unit["LoadCredential"]:
        name, _, source = value.partition(":")
        assert source == f"npsbridge.{name}"


IMPORTS = """
import aiohttp, aiohttp.web, aiosqlite, anyio, jinja2, loguru, msgspec, orjson, prometheus_client, rich, ssl, typer
from npsbridge import platforms, settings, telemetry
settings.load(platforms.settings_classes(), environ={})
ssl.create_default_context()
import mmap
try:
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
except OSError:
    print("denied")
"""
DENY_AND_RUN = f"""
import ctypes, os, sys
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0):
    sys.exit("unsupported")
os.execv(sys.executable, [sys.executable, "-c", {IMPORTS!r}])
"""


def test_what_we_depend_on_runs_without_writable_executable_memory(unit: Mapping[str, list[str]]) -> None:
    assert unit["MemoryDenyWriteExecute"] == ["yes"]
    command = [sys.executable, "-c", DENY_AND_RUN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own text
    if "unsupported" in done.stderr:
        give_up("this kernel cannot deny writable executable memory by prctl (Linux 6.3 can)")
    assert (done.returncode, done.stdout.strip()) == (0, "denied"), done.stderr[-500:]
