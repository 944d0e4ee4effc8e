"""What a shell may complete: names of connections and platforms, states. Silent about everything that is wrong."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import typer

Completion = Callable[[typer.Context, str], list[tuple[str, str]]]


def connections(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """The configured connections, each with its platform."""
    return _beginning(incomplete, _configured(context))


def connections_and_platforms(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Those that an archive may be of: the configured ones, and the platforms that have responses."""
    from npsbridge.platforms import available

    found = dict(_configured(context))
    found |= {name: "not configured" for name, one in available().items() if one.parse and name not in found}
    return _beginning(incomplete, found.items())


def platforms(_: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Every platform there is."""
    from npsbridge.platforms import available

    return _beginning(incomplete, ((name, "") for name in available()))


def states_among(*states: str) -> Completion:
    """Some states of a delivery."""

    def complete(_: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        return _beginning(incomplete, ((state, "") for state in states))

    return complete


def _beginning(incomplete: str, found: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(one for one in found if one[0].startswith(incomplete.lower()))


def _configured(context: typer.Context) -> Iterator[tuple[str, str]]:
    from npsbridge.errors import ConfigurationError
    from npsbridge.platforms import settings_classes
    from npsbridge.settings import load

    env_file: Path | None = context.params.get("env_file")
    # Whoever presses Tab asks nothing; what is wrong with the settings is told by the command itself.
    with suppress(ConfigurationError, OSError):
        for name, one in load(settings_classes(), env_file=env_file).connections.items():
            yield name, one.platform
