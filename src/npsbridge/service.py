"""What a service manager wants to hear: readiness, reloads, and that we are alive (sd_notify(3)).

Knows nothing of the daemon. Without systemd everything here does nothing.
"""

import os
import socket

_LONGEST_WAIT = 1.0


def notify(state: str) -> bool:
    """Tell systemd something: `READY=1`, `STOPPING=1`, `WATCHDOG=1`, `RELOADING=1`, `STATUS=...`.

    Several go in one call, a line each. Never raises.

    Returns:
        Whether it was sent; False where no service manager listens.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    # A path, or a name in Linux's abstract namespace, which begins with a zero byte there and with @ here.
    if not address.startswith(("/", "@")):
        return False
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.settimeout(_LONGEST_WAIT)
            manager.sendto(state.encode("utf-8", "replace"), address)
    except (OSError, ValueError):
        return False
    return True


def watchdog_interval() -> float | None:
    """Seconds between two `WATCHDOG=1`: half of what systemd allows, or None when it does not watch this process."""
    try:
        microseconds = int(os.environ["WATCHDOG_USEC"])
        watched = int(os.environ.get("WATCHDOG_PID", os.getpid()))
    except (KeyError, ValueError):
        return None
    return microseconds / 2_000_000 if microseconds > 0 and watched == os.getpid() else None
