"""What the admin listener works on: everything that its pages show, and the one thing that they wake."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from npsbridge.core.pace import RateWindow
from npsbridge.engine.seams import Seams
from npsbridge.web.access import OPEN, Access


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the admin listener shows, and to whom."""

    seams: Seams
    sinks: Sequence[str]
    """Names of the connections that take deliveries."""
    is_draining: Callable[[], bool]
    access: Access = OPEN
    platforms: Mapping[str, str] = field(default_factory=dict)
    """By name of each configured connection: its platform."""
    windows: Mapping[str, RateWindow] = field(default_factory=dict)
    """The request limits, by connection."""
    replica: str | None = None
    """What this daemon is called among those that share its store; None where it has the store alone."""
    wake: Callable[[], None] = lambda: None
    """Has every loop look for work, after a person has decided something."""
