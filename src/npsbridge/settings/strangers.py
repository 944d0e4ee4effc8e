"""Names that are not ours but were meant to be: secret files and lines of the env file that would be passed over.

Pure.
"""

from collections.abc import Collection, Iterable, Iterator

from npsbridge.errors import Fault
from npsbridge.settings.model import PREFIX
from npsbridge.settings.sections import full_name, nearest
from npsbridge.settings.sources import Variable

# How alike a name must be to be one of ours with a slip in it, rather than somebody else's.
_FILE_ALIKE = 0.8
_LINE_ALIKE = 0.9


def stray_files(strangers: Iterable[Variable], known: Collection[str]) -> Iterator[Fault]:
    """Secret files whose names are nearly those of settings."""
    for stranger in strangers:
        name = stranger.name.removeprefix(PREFIX.lower())
        meant = nearest(name, known, cutoff=_FILE_ALIKE)
        if meant or name != stranger.name:
            hint = f"; did you mean {meant}?" if meant else ""
            yield Fault(setting=stranger.spelled, problem=f"is no setting's name in lower case{stranger.origin}{hint}")


def stray_lines(strangers: Iterable[Variable], known: Collection[str]) -> Iterator[Fault]:
    """Lines of the env file that lack the prefix, or have a slip in it."""
    by_full_name = {full_name(name).lower(): name for name in known}
    for stranger in strangers:
        meant = nearest(stranger.name, by_full_name, cutoff=_LINE_ALIKE)
        # A short name without the prefix, such as LISTEN, may well be another program's.
        name = by_full_name[meant] if meant else stranger.name
        if meant or ("__" in name and name in known):
            yield Fault(setting=stranger.spelled, problem=f"should be {full_name(name)}{stranger.origin}")
