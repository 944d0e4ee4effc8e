"""What every SDK is owed, whichever it is: `class TestX(Delivers, Perseveres): sdk = ...`."""

import asyncio
from pathlib import Path
from typing import ClassVar

import pytest

from clients.door import Cut
from clients.sdk import Sdk
from clients.shop import ASKED_FOR_ONE_OF_EACH, ONE_OF_EACH, shop, visits
from end_to_end.harness import until
from fault.test_full_store import Fullness


class Delivers:
    """Nothing goes wrong."""

    sdk: ClassVar[Sdk]

    async def test_each_kind_of_call_is_stored_once_and_not_sent_again(self, tmp_path: Path) -> None:
        async with shop(tmp_path, self.sdk) as line:
            assert await line.send(ONE_OF_EACH) == []
            await line.check_each_counts_once(ONE_OF_EACH)
            assert [call["type"] for call in line.door.calls] == [call["type"] for call in ONE_OF_EACH]
            assert set(line.door.statuses) == {200}
            assert line.asked() == ASKED_FOR_ONE_OF_EACH

    async def test_two_hundred_calls_are_stored_once_each_and_everybody_is_surveyed_once(self, tmp_path: Path) -> None:
        calls = list(visits(people=20))
        async with shop(tmp_path, self.sdk) as line:
            assert await line.send(calls) == []
            await line.check_each_counts_once(calls)
            assert len(line.door.calls) == line.arrived("stored") == len(calls) == 200
            assert line.surveyed() == {f"p{number}@example.org": 1 for number in range(20)}
            assert len(line.asked()) == 40


class Perseveres:
    """Something goes wrong."""

    sdk: ClassVar[Sdk]

    async def test_a_wrong_write_key_is_reported_and_not_tried_again(self, tmp_path: Path) -> None:
        async with shop(tmp_path, self.sdk) as line:
            assert await line.send(ONE_OF_EACH, write_key="key-of-somebody-else")
            assert set(line.door.statuses) == {401}
            assert len(set(line.door.message_ids)) == len(line.door.message_ids) == len(ONE_OF_EACH)
            assert line.arrived("invalid_write_key") == len(line.door.requests)
            assert (await line.rests()).accepted == 0

    async def test_f6_what_finds_no_room_is_sent_again_and_counts_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("npsbridge.web.refusals.RETRY_AFTER", "1")
        async with shop(tmp_path, self.sdk) as line, asyncio.TaskGroup() as group:
            disk = Fullness(line.app, "append")
            sending = group.create_task(line.send(ONE_OF_EACH))
            await until(lambda: disk.asked > 0)
            disk.is_full = False
            assert await sending == []
            assert (await line.check_each_counts_once(ONE_OF_EACH)).duplicate == 0
            assert set(line.door.statuses) == {503, 200}
            assert line.asked() == ASKED_FOR_ONE_OF_EACH

    async def test_what_finds_nobody_is_sent_again_and_counts_once(self, tmp_path: Path) -> None:
        async with shop(tmp_path, self.sdk) as line:
            assert await line.send_through(ONE_OF_EACH, Cut.BEFORE_THE_DAEMON) == []
            assert (await line.check_each_counts_once(ONE_OF_EACH)).duplicate == 0
            assert line.asked() == ASKED_FOR_ONE_OF_EACH

    async def test_i4_what_was_stored_but_not_acknowledged_is_sent_again_and_counts_once(self, tmp_path: Path) -> None:
        async with shop(tmp_path, self.sdk) as line:
            assert await line.send_through(ONE_OF_EACH, Cut.BEFORE_THE_ANSWER) == []
            assert (await line.check_each_counts_once(ONE_OF_EACH)).duplicate > 0
            assert line.asked() == ASKED_FOR_ONE_OF_EACH
