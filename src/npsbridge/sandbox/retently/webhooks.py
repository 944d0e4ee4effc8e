"""Retently's outgoing webhooks: unsigned, with a body that the account's users edit, posted once and at most once.

It knows what a webhook looks like and how it travels; what has happened is told to it.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import aiohttp
import orjson

from npsbridge.sandbox.retently.switches import RetentlyWebhookSwitches

RECOMMENDED: Final[Mapping[str, Any]] = {
    "event": "{{event}}",
    "id": "{{id}}",
    "email": "{{email}}",
    "score": "{{score}}",
    "comment": "{{comment}}",
    "campaignId": "{{campaignId}}",
    "metricsType": "{{metricsType}}",
    "createdDate": "{{createdDate}}",
}
"""The body that npsbridge suggests. The real syntax of placeholders is not published; these braces are ours."""
EVERYTHING: Final = "{{*}}"
"""The whole object, as the template that is pre-filled has it."""

_COLLECTING_SECONDS = 1.0


def rendered(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with its placeholders filled in; one that names nothing stays as it is."""
    match template:
        case {}:
            return {name: rendered(value, values) for name, value in template.items()}
        case list():
            return [rendered(value, values) for value in template]
        case "{{*}}":
            return dict(values)
        case str() if template.startswith("{{") and template.endswith("}}"):
            return values.get(template[2:-2], template)
        case _:
            return template


class WebhookSender:
    """Posts webhooks in the background; `run` it in a task of its own.

    Attributes:
        statuses: What was answered, in order; None where nobody answered.
        waiting: Webhooks that are not posted yet.
    """

    def __init__(self, switches: Callable[[], RetentlyWebhookSwitches]) -> None:
        self._switches = switches
        self._queue: asyncio.Queue[tuple[str, bytes, Mapping[str, str]]] = asyncio.Queue()
        self._put = 0
        self.statuses: list[int | None] = []
        self.waiting = 0

    def put(self, url: str, body: object, headers: Mapping[str, str]) -> None:
        """Post `body` to `url`, unless it is one of those that get lost."""
        switches = self._switches()
        self._put += 1
        if switches.drop_every and self._put % switches.drop_every == 0:
            return
        for _ in range(switches.copies):
            self.waiting += 1
            self._queue.put_nowait((url, orjson.dumps(body), {"Content-Type": "application/json", **headers}))

    async def run(self) -> None:
        """Post what comes, until cancelled."""
        async with aiohttp.ClientSession(trust_env=False) as session:
            while True:
                for url, body, headers in await self._next():
                    self.statuses.append(await self._post(session, url, body, headers))
                    self.waiting -= 1

    async def _next(self) -> list[tuple[str, bytes, Mapping[str, str]]]:
        parcels = [await self._queue.get()]
        with suppress(TimeoutError):
            async with asyncio.timeout(_COLLECTING_SECONDS):
                while len(parcels) < self._switches().reorder:
                    parcels.append(await self._queue.get())
        return parcels[::-1]

    async def _post(
        self, session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]
    ) -> int | None:
        limit = aiohttp.ClientTimeout(total=self._switches().timeout)
        try:
            async with session.post(url, data=body, headers=headers, timeout=limit, allow_redirects=False) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
