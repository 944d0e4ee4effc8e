"""The verbs of `npsbridge outbox`: what is owed, delivered, held or dead, and how it is settled by hand."""

from typing import Annotated

import typer

from npsbridge.cli.grouping import explain_if_alone
from npsbridge.cli.options import DROPPED, LISTED, RETRIED, Deliveries, EnvFile, Json, OnlyConnection, Yes

app = typer.Typer(
    help="Look at what is owed, delivered, held or dead, and settle it by hand.", invoke_without_command=True
)


@app.callback()
def _outbox(context: typer.Context) -> None:
    explain_if_alone(context)


@app.command("list")
def outbox_list(
    env_file: EnvFile = None,
    *,
    state: Annotated[
        str | None,
        typer.Option(
            help="queued, waiting (also calls that wait for their person), inflight, held, dead, delivered, filtered "
            "or expired.",
            autocompletion=LISTED,
        ),
    ] = None,
    connection: OnlyConnection = None,
    limit: Annotated[int, typer.Option(help="At most so many, newest first.", min=1)] = 100,
    json: Json = False,
) -> None:
    """List deliveries, and records and pages that could not be used (they are dead)."""
    from npsbridge.cli.outbox import list_deliveries

    list_deliveries(env_file, state=state, connection=connection, limit=limit, as_json=json)


@app.command("show")
def outbox_show(
    delivery: Annotated[int, typer.Argument(help="The id of a delivery, from `outbox list`.")],
    env_file: EnvFile = None,
    *,
    json: Json = False,
) -> None:
    """Show one delivery with its body."""
    from npsbridge.cli.outbox import show_delivery

    show_delivery(env_file, delivery, as_json=json)


@app.command("retry")
def outbox_retry(
    deliveries: Deliveries = None,
    env_file: EnvFile = None,
    *,
    state: Annotated[str | None, typer.Option(help="Only dead, or only held.", autocompletion=RETRIED)] = None,
    connection: OnlyConnection = None,
    json: Json = False,
) -> None:
    """Have dead deliveries sent again, and dead records routed again; all of them unless told which.

    What is held may have been done already, such as a request for a survey: it is done again only when it is named by
    its id or with --state held.
    """
    from npsbridge.cli.steering import retry_deliveries

    retry_deliveries(env_file, deliveries or [], state=state, connection=connection, as_json=json)


@app.command("drop")
def outbox_drop(
    deliveries: Deliveries = None,
    env_file: EnvFile = None,
    *,
    state: Annotated[
        str | None, typer.Option(help="Only queued, waiting, held or dead.", autocompletion=DROPPED)
    ] = None,
    connection: OnlyConnection = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Never send these deliveries; they are kept as filtered for a while.

    What is on its way is left alone.
    """
    from npsbridge.cli.steering import drop_deliveries

    drop_deliveries(env_file, deliveries or [], state=state, connection=connection, is_agreed=yes, as_json=json)


@app.command("confirm")
def outbox_confirm(
    deliveries: Annotated[list[int], typer.Argument(help="Ids of held deliveries.")],
    env_file: EnvFile = None,
    *,
    json: Json = False,
) -> None:
    """Take held deliveries for done: somebody has looked at the vendor, and the person was surveyed."""
    from npsbridge.cli.steering import confirm_deliveries

    confirm_deliveries(env_file, deliveries, as_json=json)
