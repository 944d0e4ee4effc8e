"""How long a first backfill takes and what it costs, beside the floor: `python tests/benchmark/backfill.py --help`.

Delighted, Segment and the daemon are processes of their own; the daemon is the real command on a fresh store. Figures
are of this machine at this moment: the floor runs right after each daemon against the same look-alikes, and the ratio
is what may be compared.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).parent
CALLS_PER_RESPONSE = 4
LONGEST_START = 30.0
LONGEST_STOP = 60.0
TICK = 1.0 / os.sysconf("SC_CLK_TCK")
COMMAND = str(Path(sys.executable).with_name("npsbridge"))

Figures = dict[str, float]


def main() -> None:
    """Run the comparison and print it."""
    arguments = _arguments()
    daemons: list[Figures] = []
    floors: list[Figures] = []
    for number in range(arguments.runs):
        with _lookalike("delighted", arguments.responses) as (_, delighted):
            daemons.append(_measured_daemon(delighted, arguments))
            floors.append(_measured_floor(delighted, arguments.responses))
        _say(f"run {number + 1}: {daemons[-1]} floor: {floors[-1]}")
    ratios = [{name: one[name] / floor[name] for name in floor} for one, floor in zip(daemons, floors, strict=True)]
    result = {"daemon": _spread(daemons), "floor": _spread(floors), "ratio": _spread(ratios)}
    _print_table(result, arguments)
    if arguments.json:
        facts = {"responses": arguments.responses, "runs": arguments.runs, "python": sys.version.split()[0]}
        arguments.json.write_text(json.dumps({**facts, **result}, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--responses", type=int, default=20_000)
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument("--idle", type=float, default=20.0, help="seconds of idling to measure after the backfill")
    asked.add_argument("--json", type=Path, help="write the figures to this file as well")
    return asked.parse_args()


# --- one run ----------------------------------------------------------------------------------------------------


def _measured_daemon(delighted: Mapping[str, Any], arguments: argparse.Namespace) -> Figures:
    calls = CALLS_PER_RESPONSE * arguments.responses
    with TemporaryDirectory() as folder, _lookalike("segment", calls) as (sink, segment):
        started = time.monotonic()
        admin_port = _free_port()
        environment = _environment(delighted, segment, admin_port)
        with _process([COMMAND, "run"], env=environment, folder=folder) as daemon:
            ready = _until_ready(daemon, admin_port) - started
            done = _heard_all(sink, calls)
            figures = {
                "wall_s": done - started,
                "cpu_s": _cpu_seconds(daemon.pid),
                "peak_rss_mib": _memory_mib(daemon, "VmHWM"),
            }
            figures["rss_after_mib"] = _memory_mib(daemon, "VmRSS")
            figures["idle_cpu_percent"] = _idle_cpu(daemon.pid, arguments.idle)
        stored = sum(file.stat().st_size for file in Path(folder).glob("npsbridge.db*"))
    return figures | {"ready_s": ready, "store_mib": stored / 2**20}


def _measured_floor(delighted: Mapping[str, Any], responses: int) -> Figures:
    calls = CALLS_PER_RESPONSE * responses
    with _lookalike("segment", calls) as (sink, segment):
        command = [sys.executable, str(HERE / "floor.py"), "--delighted", delighted["base_url"]]
        command += ["--delighted-key", delighted["key"], "--segment", segment["base_url"], "--segment-key"]
        started = time.monotonic()
        with _process([*command, segment["key"]]) as floor:
            done = _heard_all(sink, calls)
            return {
                "wall_s": done - started,
                "cpu_s": _cpu_seconds(floor.pid),
                "peak_rss_mib": _memory_mib(floor, "VmHWM"),
            }


def _environment(delighted: Mapping[str, Any], segment: Mapping[str, Any], admin_port: int) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("NPSBRIDGE_")}
    return own | {
        "NPSBRIDGE_LISTEN": "127.0.0.1:0",
        "NPSBRIDGE_ADMIN_LISTEN": f"127.0.0.1:{admin_port}",
        "NPSBRIDGE_LOG_LEVEL": "WARNING",
        "NPSBRIDGE_DELIGHTED__API_KEY": delighted["key"],
        "NPSBRIDGE_DELIGHTED__BASE_URL": delighted["base_url"],
        "NPSBRIDGE_DELIGHTED__RATE_LIMIT": "0",
        "NPSBRIDGE_SEGMENT__WRITE_KEY": segment["key"],
        "NPSBRIDGE_SEGMENT__BASE_URL": segment["base_url"],
        "NPSBRIDGE_SEGMENT__RATE_LIMIT": "0",
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _until_ready(daemon: subprocess.Popen[str], admin_port: int) -> float:
    """The monotonic time at which /readyz first says yes."""
    url, deadline = f"http://127.0.0.1:{admin_port}/readyz", time.monotonic() + LONGEST_START
    while time.monotonic() < deadline and daemon.poll() is None:
        with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=5):
            return time.monotonic()
        time.sleep(0.01)
    raise SystemExit("the daemon did not become ready")


def _heard_all(sink: subprocess.Popen[str], calls: int) -> float:
    """When the last call was at the sink; ends the benchmark if anything is missing, too much or refused."""
    heard = _line(sink)
    if (heard["calls"], heard["message_ids"], heard["dropped"]) != (calls, calls, 0):
        raise SystemExit(f"the sink has not heard what it should: {heard}")
    return float(heard["done_at"])


# --- processes --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _lookalike(vendor: str, count: int) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A look-alike in a process of its own, and what it says of itself."""
    with _process([sys.executable, str(HERE / "lookalike.py"), vendor, str(count)]) as process:
        yield process, _line(process)


@contextlib.contextmanager
def _process(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, folder: str | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A child process, asked to end at the end and ended if it does not."""
    process = subprocess.Popen(  # noqa: S603 - our own commands
        command, env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=LONGEST_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _line(process: subprocess.Popen[str]) -> dict[str, Any]:
    text = process.stdout.readline() if process.stdout else ""
    if not text:
        raise SystemExit("a process of the benchmark ended too early")
    found: dict[str, Any] = json.loads(text)
    return found


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), fields 14 and 15 of `stat`)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


def _idle_cpu(pid: int, seconds: float) -> float:
    """The share of a core, in per cent, that a process takes while nothing happens."""
    if not seconds:
        return 0.0
    before = _run_nanoseconds(pid)
    time.sleep(seconds)
    return (_run_nanoseconds(pid) - before) / seconds / 1e7


def _run_nanoseconds(pid: int) -> int:
    """Time on a core so far, of all threads; finer than `stat` (proc(5), the first field of `schedstat`)."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _memory_mib(process: subprocess.Popen[Any], line: str) -> float:
    """A line of `/proc/PID/status`: VmRSS is the resident size now, VmHWM the largest so far."""
    found = re.search(rf"{line}:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


# --- figures ----------------------------------------------------------------------------------------------------


def _spread(runs: Sequence[Figures]) -> dict[str, dict[str, float]]:
    return {name: _three([run[name] for run in runs]) for name in runs[0]}


def _three(values: Sequence[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def _print_table(result: Mapping[str, Mapping[str, Mapping[str, float]]], arguments: argparse.Namespace) -> None:
    calls = CALLS_PER_RESPONSE * arguments.responses
    print(f"{arguments.responses:,} responses, {calls:,} calls, {arguments.runs} runs: min .. median .. max")
    print(f"{'':18}{'daemon':>28}{'floor':>28}{'ratio':>28}")
    for name in result["daemon"]:
        cells = [_cell(result[column].get(name)) for column in ("daemon", "floor", "ratio")]
        print(f"{name:18}" + "".join(f"{cell:>28}" for cell in cells))


def _cell(spread: Mapping[str, float] | None) -> str:
    return " .. ".join(f"{spread[word]:.2f}" for word in ("min", "median", "max")) if spread else ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
