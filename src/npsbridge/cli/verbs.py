"""The verbs and their options (contract §7): one function a verb, each loading only what it needs."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from npsbridge import __version__
from npsbridge.cli.completing import connections, connections_and_platforms
from npsbridge.cli.grouping import Verbs
from npsbridge.cli.options import (
    DROPPED,
    LISTED,
    RETRIED,
    ConnectionName,
    Deliveries,
    EnvFile,
    Json,
    Moment,
    NoEnvFile,
    OnlyConnection,
    Yes,
)
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
outbox = typer.Typer(
    help="Look at what is owed, delivered, held or dead, and settle it by hand.", invoke_without_command=True
)
app.add_typer(outbox, name="outbox")
db = typer.Typer(help="Look the store over, and copy it, also while the daemon runs.", invoke_without_command=True)
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
    _explain_if_alone(context)


@outbox.callback()
def _outbox(context: typer.Context) -> None:
    _explain_if_alone(context)


@db.callback()
def _db(context: typer.Context) -> None:
    _explain_if_alone(context)


def _explain_if_alone(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


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


@outbox.command("list")
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


@outbox.command("show")
def outbox_show(
    delivery: Annotated[int, typer.Argument(help="The id of a delivery, from `outbox list`.")],
    env_file: EnvFile = None,
    *,
    json: Json = False,
) -> None:
    """Show one delivery with its body."""
    from npsbridge.cli.outbox import show_delivery

    show_delivery(env_file, delivery, as_json=json)


@outbox.command("retry")
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


@outbox.command("drop")
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


@outbox.command("confirm")
def outbox_confirm(
    deliveries: Annotated[list[int], typer.Argument(help="Ids of held deliveries.")],
    env_file: EnvFile = None,
    *,
    json: Json = False,
) -> None:
    """Take held deliveries for done: somebody has looked at the vendor, and the person was surveyed."""
    from npsbridge.cli.steering import confirm_deliveries

    confirm_deliveries(env_file, deliveries, as_json=json)


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


@db.command("check")
def db_check(env_file: EnvFile = None, *, json: Json = False) -> None:
    """Say whether the store is whole, adds up and lies where it is safe; changes nothing.

    Reads all of it, which takes a few seconds for each gigabyte. Ends with 65 when it is damaged or no store of this
    release, 74 when there is no room or the disk fails, 77 when permissions are wrong, else with 0.
    """
    from npsbridge.cli.database import check_store

    raise typer.Exit(check_store(env_file, as_json=json))


@db.command("backup")
def db_backup(
    file: Annotated[Path, typer.Argument(help="Where the copy goes.", metavar="FILE")],
    env_file: EnvFile = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    json: Json = False,
) -> None:
    """Copy the store into one file, whole and checked, also while the daemon runs.

    The copy holds personal data (emails, answers, comments) and no secrets: keys and tokens are in no store. Somebody
    who is erased with `forget` later is still in it.

    To restore: stop npsbridge, copy FILE over npsbridge.db, remove npsbridge.db-wal and npsbridge.db-shm if they are
    there, start. What was sent after the copy was made is sent again under the same messageIds; surveys that were owed
    when it was made are in doubt then, and treated as ON_UNKNOWN says.
    """
    from npsbridge.cli.database import back_up_store

    back_up_store(env_file, file, force=force, as_json=json)


@db.command("migrate")
def db_migrate(
    source: Annotated[str, typer.Option("--from", help="The old store, as sqlite:///FILE.", metavar="URL")],
    target: Annotated[
        str | None,
        typer.Option(
            "--to",
            help="The new one, if not that of NPSBRIDGE_STORE_URL; a password here is seen in the process list.",
            metavar="URL",
        ),
    ] = None,
    env_file: EnvFile = None,
    *,
    json: Json = False,
) -> None:
    """Move a SQLite store into an empty PostgreSQL database, while npsbridge is stopped.

    The database is the one that NPSBRIDGE_STORE_URL names, in the environment or in --env-file, as it will be for the
    replicas: postgresql://USER:PASSWORD@HOST/DATABASE.

    Everything goes along: what is owed, checkpoints, people, who was erased, the ledger. Nothing is sent twice. When it
    is interrupted, the same command goes on where it was; at the end all is counted on both sides. The old file stays,
    and refuses to be run from then on.
    """
    from npsbridge.cli.database import move_store

    move_store(env_file, source, target, as_json=json)


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
