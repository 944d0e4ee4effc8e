"""Options and arguments that several verbs share."""

from pathlib import Path
from typing import Annotated, Final

import typer

from npsbridge.cli.completing import connections, states_among

EnvFile = Annotated[Path | None, typer.Option("--env-file", help="File of NPSBRIDGE_* settings.", metavar="FILE")]
NoEnvFile = Annotated[
    Path | None,
    typer.Option("--env-file", help="Taken as everywhere, but not read: no setting matters here.", metavar="FILE"),
]
Json = Annotated[bool, typer.Option("--json", help="JSON instead of text.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
Folder = Annotated[Path, typer.Argument(help="Folder to write into; it is made.", metavar="DIR")]
Deliveries = Annotated[list[int] | None, typer.Argument(help="Ids, from `outbox list`.", metavar="[ID]...")]
ConnectionName = Annotated[
    str, typer.Argument(help="Name of a connection, such as delighted.", autocompletion=connections)
]
OnlyConnection = Annotated[
    str | None, typer.Option("--connection", help="Only this connection.", autocompletion=connections)
]
Moment: Final = typer.Option(metavar="ISO-DATE", help="An ISO 8601 date or time; UTC unless it says otherwise.")

LISTED: Final = states_among("queued", "waiting", "inflight", "held", "dead", "delivered", "filtered", "expired")
RETRIED: Final = states_among("dead", "held")
DROPPED: Final = states_among("queued", "waiting", "held", "dead")
