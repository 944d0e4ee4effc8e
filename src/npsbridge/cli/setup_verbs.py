"""The verbs by which npsbridge is set up where it is to run; those of every day are in `verbs`."""

import typer

from npsbridge.cli.options import EnvFile, Folder, Force, Json

app = typer.Typer()


@app.command()
def monitoring(folder: Folder, env_file: EnvFile = None, *, force: Force = False, json: Json = False) -> None:
    """Write a Grafana dashboard and alert rules for Prometheus."""
    from npsbridge.cli.monitoring import write_monitoring

    write_monitoring(env_file, folder, force=force, as_json=json)
