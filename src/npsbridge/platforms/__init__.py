"""The vendors: one module each, and the list of those built in.

Packages from outside add theirs by the entry-point group `npsbridge.platforms`; the entry's value is a `Platform`.
"""

from importlib.metadata import entry_points
from typing import Any

from npsbridge.platforms.base import Platform, Wiring
from npsbridge.platforms.delighted import platform as delighted
from npsbridge.platforms.heap import platform as heap
from npsbridge.platforms.promoter import platform as promoter
from npsbridge.platforms.retently import platform as retently
from npsbridge.platforms.satismeter import platform as satismeter
from npsbridge.platforms.segment import platform as segment
from npsbridge.settings import PlatformSettings

__all__ = ["Platform", "Wiring", "available", "settings_classes"]

BUILT_IN: tuple[Platform[Any], ...] = (delighted, retently, satismeter, promoter, segment, heap)


def available() -> dict[str, Platform[Any]]:
    """Every platform by name: the built-in ones and those of installed packages.

    An outside package cannot replace a built-in platform; a broken one raises when it is loaded, it does not vanish.
    """
    outside = [entry.load() for entry in entry_points(group="npsbridge.platforms")]
    return {platform.name: platform for platform in [*outside, *BUILT_IN]}


def settings_classes() -> dict[str, type[PlatformSettings]]:
    """The settings class of every platform, by the platform's name."""
    return {name: platform.settings for name, platform in available().items()}
