"""All scenes by name, and the place where they are played."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from end_to_end.outbound import outbound
from fault.crash.answers_scenes import Delivering, Polling, Upgrading
from fault.crash.calls_scenes import Ingest, Surveys
from fault.crash.scene import Scene
from fault.lives import lives
from fault.survey_truth import settings

SCENES: Final[Mapping[str, type[Scene]]] = {
    "ingest": Ingest,
    "deliver": Delivering,
    "survey": Surveys,
    "poll": Polling,
    "upgrade": Upgrading,
}


@asynccontextmanager
async def scene(name: str, folder: Path, **changes: str) -> AsyncIterator[Scene]:
    """A scene that is prepared, between look-alikes of all vendors."""
    kind = SCENES[name]
    async with (
        outbound(folder, **settings(**{**kind.changes, **changes})) as line,
        lives(folder, line.environment) as daemon,
    ):
        made = kind(line, daemon)
        await made.prepare()
        yield made
