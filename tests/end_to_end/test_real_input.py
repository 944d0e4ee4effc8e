"""Real answers, put into Delighted by its official client, as they arrive at Segment on the daemon's first start."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from clients.verbatims import Verbatim, load_verbatims, verbatims_path
from end_to_end.harness import Call, until, world

pytestmark = pytest.mark.clients

PROMOTERS, PASSIVES, DETRACTORS = 690, 392, 1271


async def test_real_answers_arrive_with_their_nps_every_comment_and_every_day(tmp_path: Path) -> None:
    path = verbatims_path()
    async with world(tmp_path) as both:
        server = both.delighted
        loaded = await asyncio.to_thread(load_verbatims, path, base_url=server.base_url, api_key=server.api_key)
        async with both.daemon():
            await until(lambda: both.segment.counts["Submit Survey"] == len(loaded), within=60)
            await until(lambda: both.segment.counts["identify"] == len(loaded))
        submitted = {call["properties"]["response_id"]: call for call in both.segment.tracks("Submit Survey")}
        both.check_each_said_once()
    camps = Counter(call["properties"]["category"] for call in submitted.values())
    assert camps == {"promoter": PROMOTERS, "passive": PASSIVES, "detractor": DETRACTORS}
    assert round(100 * (camps["promoter"] - camps["detractor"]) / camps.total(), 1) == -24.7
    assert {number: said(call) for number, call in submitted.items()} == {
        number: written(verbatim) for number, verbatim in loaded.items()
    }


def said(call: Call) -> tuple[str | None, str]:
    """The comment and the day of a call."""
    return call["properties"]["comment"], call["timestamp"][:10]


def written(verbatim: Verbatim) -> tuple[str | None, str]:
    """The comment and the day in the file; a comment of nothing but space is none."""
    comment = verbatim.comment
    return comment if comment and comment.strip() else None, verbatim.answered_at.date().isoformat()
