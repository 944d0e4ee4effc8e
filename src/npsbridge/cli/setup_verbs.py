"""The verbs by which npsbridge is set up where it is to run; those of every day are in `verbs`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from npsbridge import __version__
from npsbridge.cli.completing import platforms
from npsbridge.cli.options import EnvFile, Folder, Force, Json, NoEnvFile

app = typer.Typer()


@app.command()
def connect(
    platform: Annotated[
        str,
        typer.Argument(
            help="delighted, retently, satismeter, promoter, segment or heap.",
            autocompletion=platforms,
            metavar="PLATFORM",
        ),
    ],
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", help="File that the settings go into; without it they are shown.", metavar="FILE"),
    ] = None,
    *,
    name: Annotated[str | None, typer.Option(help="Of a further account of the platform, such as eu.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="A field that is no secret.", metavar="FIELD=VALUE")
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option("--read", help="A field from a file, or from standard input (-).", metavar="FIELD=FILE"),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option(help="Address by which vendors reach this machine.", metavar="URL")
    ] = None,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Rehearse it between look-alikes; nothing is kept.")
    ] = False,
    test: Annotated[
        bool | None, typer.Option("--test/--no-test", help="Send a test event, or none; asked if left out.")
    ] = None,
    json: Json = False,
) -> None:
    """Set up an account: asks for its key, tries it, keeps it, says what to click at the vendor, and tests it.

    A key is typed unseen, read from a file (--read api_key=FILE) or taken from the environment; never from the command
    line, which shells remember.
    """
    from npsbridge.cli.connecting import Wish, connect

    wish = Wish(
        platform=platform,
        name=name,
        values=tuple(values or ()),
        files=tuple(files or ()),
        public_url=public_url,
        is_rehearsal=sandbox,
        sends_test=test,
    )
    raise typer.Exit(connect(env_file, wish, as_json=json))


@app.command()
def deploy(
    folder: Folder,
    env_file: NoEnvFile = None,  # noqa: ARG001 - every verb takes it
    *,
    store: Annotated[
        Literal["sqlite", "postgres"], typer.Option(help="sqlite: one replica and its volume; postgres: several.")
    ] = "sqlite",
    image: Annotated[
        str, typer.Option(help="Name of the container image.", metavar="NAME")
    ] = f"npsbridge:{__version__}",
    replicas: Annotated[int | None, typer.Option(help="How many, with postgres; 2 if left out.", min=1)] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write a container file, Kubernetes manifests and the systemd unit."""
    from npsbridge.cli.deploying import Wish, write_deployment

    write_deployment(folder, Wish(store=store, image=image, replicas=replicas), force=force, as_json=json)


@app.command()
def monitoring(folder: Folder, env_file: EnvFile = None, *, force: Force = False, json: Json = False) -> None:
    """Write a Grafana dashboard and alert rules for Prometheus."""
    from npsbridge.cli.monitoring import write_monitoring

    write_monitoring(env_file, folder, force=force, as_json=json)
