"""Hands calls to a Python SDK as its users do; runs in a process of its own, under any interpreter that has the SDK.

Arguments: the SDK's module (`segment.analytics`, `rudderstack.analytics`). Standard input: `url`, `write_key`, `gzip`
and `calls` in Segment's words. Standard output: what the SDK reported to `on_error`, a JSON list.
"""

import importlib
import json
import re
import sys


def parameters(call: dict[str, object]) -> dict[str, object]:
    """Segment's `userId` is `user_id` here."""
    return {re.sub("(?=[A-Z])", "_", name).lower(): value for name, value in call.items() if name != "type"}


def main() -> None:
    """Send everything and wait until the SDK is done with it."""
    task = json.load(sys.stdin)
    errors: list[str] = []
    client = importlib.import_module(sys.argv[1]).Client(
        task["write_key"],
        host=task["url"],
        gzip=task["gzip"],
        upload_interval=0.1,
        on_error=lambda error, _calls: errors.append(str(error)),
    )
    for call in task["calls"]:
        getattr(client, call["type"])(**parameters(call))
    client.flush()
    client.join()
    json.dump(errors, sys.stdout)


main()
