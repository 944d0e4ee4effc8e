"""The verbs and their options (contract §7): one function a verb, each loading only what it needs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from npsbridge import __version__
from npsbridge.cli.completing import connections, connections_and_platforms
from npsbridge.cli.db_verbs import app as db
from npsbridge.cli.grouping import Verbs, explain_if_alone
from npsbridge.cli.options import (
    ConnectionName,
    EnvFile,
    Json,
    Moment,
    NoEnvFile,
    Yes,
)
from npsbridge.cli.outbox_verbs import app as outbox
from npsbridge.cli.setup_verbs import app as setup

app = typer.Typer(
    name="npsbridge",
    cls=Verbs,
    help="Syncs both ways between Segment and NPS survey platforms, durably. First time here? `npsbridge demo`.",
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(outbox, name="outbox")
app.add_typer(db, name="db")
app.add_typer(setup)


@app.callback()
def _npsbridge(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
) -> None:
    if version:
        print(f"npsbridge {__version__}")
        raise typer.Exit
    explain_if_alone(context)


@app.command()
def run(env_file: EnvFile = None) -> None:
    """Run the daemon until it is told to stop."""
    from npsbridge.cli.run import run_daemon

    raise typer.Exit(run_daemon(env_file))


@app.command()
def demo(
    env_file: NoEnvFile = None,  # noqa: ARG001 - every verb takes it
    *,
    keep_running: Annotated[bool, typer.Option("--keep-running", help="Stay up until interrupted.")] = False,
) -> None:
    """Show the whole product at work in half a minute, between look-alikes on this machine; nothing to set up."""
    from npsbridge.cli.demo import run_demo

    raise typer.Exit(run_demo(keep_running=keep_running))


@app.command()
def check(
    env_file: EnvFile = None,
    *,
    online: Annotated[bool, typer.Option("--online", help="Also ask the vendors.")] = False,
    json: Json = False,
) -> None:
    """Say whether the settings are good, which webhook URLs to paste where, and what cannot be proved."""
    from npsbridge.cli.check import check_settings

    raise typer.Exit(check_settings(env_file, online=online, as_json=json))


@app.command()
def status(
    env_file: EnvFile = None,
    *,
    json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it; q or Ctrl-C ends that.")] = False,
) -> None:
    """Show whether the daemon runs, every connection, the ledger and the queues."""
    from npsbridge.cli.status import show_status

    show_status(env_file, as_json=json, watch=watch)


@app.command()
def backfill(
    connection: ConnectionName,
    env_file: EnvFile = None,
    *,
    since: Annotated[str | None, Moment] = None,
    until: Annotated[str | None, Moment] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report; keep and send nothing.")] = False,
    json: Json = False,
) -> None:
    """Read a platform's history (again); what is known already is recognised and not sent twice.

    --until takes in the whole of a day that is given without a time.
    """
    from npsbridge.cli.backfill import backfill_connection

    backfill_connection(env_file, connection, since=since, until=until, dry_run=dry_run, as_json=json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="JSON, JSON Lines or CSV.", metavar="FILE")],
    env_file: EnvFile = None,
    *,
    connection: Annotated[
        str,
        typer.Option(
            help="Whose answers these are; a platform's name needs no settings.",
            autocompletion=connections_and_platforms,
        ),
    ],
    kind: Annotated[Literal["api-json", "csv"] | None, typer.Option("--format", help="Guessed if left out.")] = None,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="CSV: which column holds a field.")
    ] = None,
    date_format: Annotated[str | None, typer.Option(help="CSV: how times are written, as %d/%m/%Y %H:%M.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Report and show a sample; keep and send nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Take in an exported history as if it had been polled; what is known already is not sent twice."""
    from npsbridge.cli.importing import Request, import_archive, pairs

    request = Request(
        file=file,
        connection=connection.lower(),
        format=kind,
        mapping=pairs(mapping or []),
        date_format=date_format,
        dry_run=dry_run,
    )
    raise typer.Exit(import_archive(env_file, request, as_json=json))


@app.command()
def trace(
    key: Annotated[str, typer.Argument(help="A messageId, a response id or an email.")],
    env_file: EnvFile = None,
    *,
    json: Json = False,
) -> None:
    """Tell the life of one message, one response or one person."""
    from npsbridge.cli.trace import show_trace

    show_trace(env_file, key, as_json=json)


@app.command()
def pause(
    name: ConnectionName,
    env_file: EnvFile = None,
    *,
    json: Json = False,
) -> None:
    """Let a connection rest, in both directions, until it is resumed; nothing is lost meanwhile."""
    from npsbridge.cli.pausing import steer_connection

    steer_connection(env_file, name, is_paused=True, as_json=json)


@app.command()
def resume(
    name: ConnectionName,
    env_file: EnvFile = None,
    *,
    json: Json = False,
) -> None:
    """Let a paused connection go on where it was."""
    from npsbridge.cli.pausing import steer_connection

    steer_connection(env_file, name, is_paused=False, as_json=json)


@app.command("replay")
def replay_(
    env_file: EnvFile = None,
    *,
    since: Annotated[
        str,
        typer.Option(metavar="TIME", help="An ISO 8601 date or time (UTC unless it says so), or 6h for so long ago."),
    ],
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Likewise; now if left out.")] = None,
    to: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only to this connection.", autocompletion=connections)
    ] = None,
    surveys: Annotated[bool, typer.Option("--surveys", help="Also survey people again; needs --to.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; change nothing.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Send again what sinks were sent in a time, under the same messageIds; nobody is surveyed again.

    With --to, that sink is also told of the answers given in that time of which it has never heard, such as those from
    before it was configured.
    """
    from npsbridge.cli.replaying import replay

    replay(
        env_file,
        since=since,
        until=until,
        to=to,
        surveys=surveys,
        dry_run=dry_run,
        is_agreed=yes,
        as_json=json,
    )


@app.command()
def forget(
    person: Annotated[str, typer.Argument(help="An email, or a userId.", metavar="EMAIL|USER_ID")],
    env_file: EnvFile = None,
    *,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Erase all that is held here of one person, and say which vendors may still hold data."""
    from npsbridge.cli.forgetting import forget_person

    forget_person(env_file, person, is_agreed=yes, as_json=json)


@app.command()
def sandbox(
    env_file: NoEnvFile = None,  # noqa: ARG001 - every verb takes it
    *,
    only: Annotated[
        str | None, typer.Option(help="The look-alikes that are wanted, such as delighted,segment.", metavar="NAMES")
    ] = None,
    first_port: Annotated[
        int, typer.Option(help="Port of the first look-alike, the others follow; 0: free ones.", min=0, max=65_530)
    ] = 9101,
    people: Annotated[
        int, typer.Option(help="How many people the histories have, all together; 0: empty accounts.", min=0)
    ] = 300,
    answer_every: Annotated[
        float | None, typer.Option(help="Seconds between two new answers or comments, on the average.", min=0.1)
    ] = None,
    webhooks_to: Annotated[
        str | None, typer.Option(help="Public listener of an npsbridge that takes the webhooks.", metavar="URL")
    ] = None,
) -> None:
    """Serve only the look-alikes, for people who build against these APIs."""
    from npsbridge.cli.sandbox import Wanted, listener_of, names_of, run_sandbox

    run_sandbox(
        Wanted(
            only=names_of(only),
            first_port=first_port,
            people=people,
            answer_every=answer_every,
            webhooks_to=listener_of(webhooks_to),
        )
    )


@app.command()
def schema(env_file: NoEnvFile = None) -> None:  # noqa: ARG001 - every verb takes it
    """Print the JSON Schema of every call npsbridge emits."""
    from npsbridge.core.schema import schema_text

    print(schema_text())
