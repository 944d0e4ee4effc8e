"""What every loop shares: the memory it works on, and the only ways to time, chance and the operator's eyes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from npsbridge.clock import Clock
from npsbridge.core.storage import Store
from npsbridge.engine.ageing import Ageing
from npsbridge.engine.board import Board
from npsbridge.engine.pauses import Pauses
from npsbridge.metrics import Metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """Handed to each loop as one."""

    store: Store
    board: Board
    clock: Clock
    metrics: Metrics
    jitter: Callable[[], float]
    """Numbers in 0..1 that spread retries."""
    pauses: Pauses = field(default_factory=Pauses)
    """What the operator has paused."""
    ageing: Ageing = field(init=False)
    """By which time things grow old."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ageing", Ageing(self.store, self.clock))
