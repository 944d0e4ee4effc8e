"""The verbs of `npsbridge db`: looking the store over, copying and moving it."""

from pathlib import Path
from typing import Annotated

import typer

from npsbridge.cli.grouping import explain_if_alone
from npsbridge.cli.options import EnvFile, Json

app = typer.Typer(help="Look the store over, and copy it, also while the daemon runs.", invoke_without_command=True)


@app.callback()
def _db(context: typer.Context) -> None:
    explain_if_alone(context)


@app.command("check")
def db_check(env_file: EnvFile = None, *, json: Json = False) -> None:
    """Say whether the store is whole, adds up and lies where it is safe; changes nothing.

    Reads all of it, which takes a few seconds for each gigabyte. Ends with 65 when it is damaged or no store of this
    release, 74 when there is no room or the disk fails, 77 when permissions are wrong, else with 0.
    """
    from npsbridge.cli.database import check_store

    raise typer.Exit(check_store(env_file, as_json=json))


@app.command("backup")
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


@app.command("migrate")
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
