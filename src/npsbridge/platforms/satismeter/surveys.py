"""What the surveys of a project are called: responses tell of their survey only its id, and its list tells the names.

The list (`/v3/projects/{p}/campaigns`, as one page of `id`, `name`, `type`, `state`) is asked for when a survey is
first met, and once a day. Where it cannot be read, names are all that is missing.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from loguru import logger

from npsbridge.clock import Clock
from npsbridge.core import reading
from npsbridge.errors import BadRecord, VendorError
from npsbridge.platforms.satismeter.lists import ResponseLists

NAME: Final = "campaignName"
"""Under which a record has its survey's name from here on; SatisMeter has no such field."""
REFRESH: Final = 86_400.0
AFTER_TROUBLE: Final = 600.0
"""Seconds until the list is asked for again: because of names that change, and after it could not be read."""


class _Head(msgspec.Struct):
    campaign: Any = None


class SurveyNames:
    """The names of one project's surveys, as far as they are known by now."""

    def __init__(self, lists: ResponseLists, clock: Clock, connection: str) -> None:
        self._lists = lists
        self._clock = clock
        self._connection = connection
        self._names: dict[str, str] = {}
        self._unlisted: set[str] = set()
        """Surveys that the list does not have, such as deleted ones."""
        self._due = 0.0
        """When it is to be asked for again, by the clock that only goes forward."""
        self._is_in_trouble = False

    async def put_into(self, records: Sequence[bytes]) -> list[bytes]:
        """The records, each with the name of its survey where that is known."""
        surveys = [_survey_of(record) for record in records]
        met = {one for one in surveys if one is not None}
        if met and not self._lists.is_legacy:
            await self._learn(met)
        return [_named(record, self._names.get(one or "")) for record, one in zip(records, surveys, strict=True)]

    async def _learn(self, met: set[str]) -> None:
        is_due = self._clock.monotonic() >= self._due
        if not is_due and (self._is_in_trouble or met <= self._names.keys() | self._unlisted):
            return
        try:
            self._names = await self._lists.survey_names()
        except VendorError as error:
            logger.bind(connection=self._connection, reason=str(error)).debug("The names of surveys cannot be read")
            self._is_in_trouble, self._due = True, self._clock.monotonic() + AFTER_TROUBLE
            return
        self._is_in_trouble, self._due = False, self._clock.monotonic() + REFRESH
        self._unlisted = met - self._names.keys()


def _survey_of(record: bytes) -> str | None:
    try:
        campaign = reading.decode(record, _Head).campaign
    except BadRecord:
        return None
    return campaign if isinstance(campaign, str) and campaign else None


def _named(record: bytes, name: str | None) -> bytes:
    if name is None:
        return record
    return record.rstrip()[:-1] + b',"%b":%b}' % (NAME.encode(), msgspec.json.encode(name))
