"""`npsbridge monitoring`: a Grafana dashboard and alert rules for Prometheus, and how to use them."""

from pathlib import Path
from typing import Final

from npsbridge.cli.opening import settings_from
from npsbridge.cli.shipped import shipped, write_into
from npsbridge.cli.show import console, print_json, readable

DASHBOARD: Final = "npsbridge-dashboard.json"
ALERTS: Final = "npsbridge-alerts.yml"

_AUTHORIZED: Final = ("    authorization:", "      credentials_file: FILE    # what NPSBRIDGE_ADMIN__TOKEN says")


def write_monitoring(env_file: Path | None, folder: Path, *, force: bool, as_json: bool) -> None:
    """Write the files and say what to do with them.

    Raises:
        UsageError: they are there already.
    """
    settings = settings_from(env_file)
    write_into(folder, {name: shipped("monitoring", name) for name in (DASHBOARD, ALERTS)}, force=force)
    paths = [str((folder / name).resolve()) for name in (DASHBOARD, ALERTS)]
    if as_json:
        print_json(paths)
        return
    for text in (
        f"{paths[0]}: in Grafana, Dashboards > New > Import; it asks for your Prometheus.",
        f"{paths[1]}: name it under rule_files in prometheus.yml. And let Prometheus read the metrics:",
        "",
        "scrape_configs:",
        "  - job_name: npsbridge",
        *(_AUTHORIZED if settings.admin.is_protected else ()),
        "    static_configs:",
        f'      - targets: ["{settings.admin_listen}"]',
    ):
        console().print(readable(text), soft_wrap=True)
