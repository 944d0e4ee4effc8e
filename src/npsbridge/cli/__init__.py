"""The command line: one function a verb (contract §7), each loading only what it needs.

Exit codes follow sysexits.h: 0, 64 usage, 65 data, 69 unavailable, 70 internal, 74 I/O, 75 another daemon holds the
store, 77 permission, 78 configuration.
"""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import click
import typer

from npsbridge import __version__
from npsbridge.errors import ConfigurationError, NpsbridgeError

USAGE, INTERNAL, INTERRUPTED = 64, 70, 130

app = typer.Typer(
    name="npsbridge",
    help="Syncs both ways between Segment and NPS survey platforms, durably.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
outbox = typer.Typer(help="What is owed, dead or held.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(outbox, name="outbox")

EnvFile = Annotated[Path | None, typer.Option("--env-file", help="File of NPSBRIDGE_* settings.", metavar="FILE")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="ISO date or time, UTC.")]


def main() -> None:
    """Run the command line and leave with the exit code that fits."""
    sys.exit(_outcome())


def _outcome() -> int:
    try:
        result = app(standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except (NpsbridgeError, BaseExceptionGroup) as error:
        return _tell(_cause(error))
    return result if isinstance(result, int) else 0


def _cause(error: BaseException) -> BaseException:
    """The error that matters in a group: one of ours if there is one."""
    while isinstance(error, BaseExceptionGroup):
        ours = error.subgroup(NpsbridgeError)
        error = (ours or error).exceptions[0]
    return error


def _tell(error: BaseException) -> int:
    if not isinstance(error, NpsbridgeError):
        raise error
    for line in [str(fault) for fault in error.faults] if isinstance(error, ConfigurationError) else [str(error)]:
        typer.echo(f"npsbridge: {line}", err=True)
    return error.exit_code


@app.callback()
def _options(
    *, version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False
) -> None:
    if version:
        typer.echo(f"npsbridge {__version__}")
        raise typer.Exit


@app.command()
def run(env_file: EnvFile = None) -> None:
    """Run the daemon until it is told to stop."""
    from npsbridge.cli.run import run_daemon

    run_daemon(env_file)


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
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every two seconds.")] = False,
) -> None:
    """Show every connection, the ledger and the queues."""
    from npsbridge.cli.status import show_status

    show_status(env_file, as_json=json, watch=watch)


@app.command()
def backfill(
    connection: Annotated[str, typer.Argument(help="Name of a connection, such as delighted.")],
    env_file: EnvFile = None,
    *,
    since: Day = None,
    until: Day = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report; keep and send nothing.")] = False,
) -> None:
    """Read a platform's history (again); what is known already is recognised and not sent twice."""
    from npsbridge.cli.backfill import backfill_connection

    backfill_connection(env_file, connection, since=since, until=until, dry_run=dry_run)


@app.command()
def trace(
    key: Annotated[str, typer.Argument(help="A messageId, a response id or an email.")],
    env_file: EnvFile = None,
    *,
    json: Json = False,
) -> None:
    """Tell the life of one message, one response or one person."""
    from npsbridge.cli.trace import show_trace

    raise typer.Exit(show_trace(env_file, key, as_json=json))


@app.command()
def schema() -> None:
    """Print the JSON Schema of every call npsbridge emits."""
    from npsbridge.core.schema import schema_text

    typer.echo(schema_text())


@outbox.command("list")
def outbox_list(
    env_file: EnvFile = None,
    *,
    state: Annotated[str | None, typer.Option(help="queued, waiting, held, dead or delivered.")] = None,
    connection: Annotated[str | None, typer.Option(help="Only this connection.")] = None,
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


@app.command()
def demo(
    *,
    keep_running: Annotated[bool, typer.Option("--keep-running", help="Stay up until interrupted.")] = False,
) -> None:
    """Run the whole product against look-alikes of the vendors on this machine, with nothing to set up."""
    from npsbridge.cli.demo import run_demo

    raise typer.Exit(run_demo(keep_running=keep_running))


@app.command()
def sandbox(
    delighted_port: Annotated[int, typer.Option(help="Port of the Delighted look-alike.")] = 9101,
    segment_port: Annotated[int, typer.Option(help="Port of the Segment look-alike.")] = 9102,
) -> None:
    """Serve only the look-alikes, for people who build against these APIs."""
    from npsbridge.cli.sandbox import run_sandbox

    run_sandbox(delighted_port=delighted_port, segment_port=segment_port)
