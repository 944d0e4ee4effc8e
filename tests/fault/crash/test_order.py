"""Nothing is said before it is on disk: what a power failure would leave, at every moment of a life (F1, promise 1)."""

from pathlib import Path

import pytest

from fault.crash.order import order_kept
from fault.crash.scenes import SCENES, scene
from fault.crash.tracing import needs_strace

pytestmark = pytest.mark.slow

AT_STAKE = {
    "ingest": {"calls": 4, "disks": 10},
    "survey": {"calls": 8, "surveys": 4, "disks": 10},
    "deliver": {"disks": 6},
    "poll": {"disks": 10},
    "upgrade": {"disks": 10},
}
"""By scene: how often each promise can be broken, at least; a check that finds less has looked at nothing."""


@pytest.fixture(autouse=True, scope="module")
def strace() -> None:
    needs_strace()


@pytest.mark.parametrize("name", SCENES)
async def test_i1_i8_i11_i21_f1_nothing_leaves_before_what_it_rests_on_would_outlive_a_power_failure(
    tmp_path: Path, name: str
) -> None:
    async with scene(name, tmp_path) as work:
        order = await order_kept(work)
    assert order.broken == []
    assert {kind for kind, least in AT_STAKE[name].items() if order.at_stake[kind] < least} == set(), order.at_stake


@pytest.mark.parametrize(
    ("name", "mistake", "said"),
    [
        ("ingest", "answers_before_the_commit", "I1:"),
        ("ingest", "lets_the_disk_be_lazy", "I1:"),
        ("survey", "notes_the_intent_late", "I8:"),
        ("survey", "lets_the_disk_be_lazy", "I8:"),
        ("poll", "moves_the_checkpoint_first", "I11:"),
    ],
)
async def test_it_notices_a_daemon_that_says_more_than_is_on_disk(
    tmp_path: Path, name: str, mistake: str, said: str
) -> None:
    async with scene(name, tmp_path) as work:
        order = await order_kept(work, mistake=mistake)
    assert said in {words.partition(" ")[0] for words in order.broken}
