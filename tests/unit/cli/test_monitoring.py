"""The dashboard and the alerts that `monitoring` writes."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import needed
from npsbridge.cli.monitoring import ALERTS, DASHBOARD
from npsbridge.cli.shipped import shipped
from unit.cli.commands import Ended

Command = Callable[..., Ended]

TESTS = Path(__file__).with_name("alerts_test.yml")
DASH: dict[str, Any] = json.loads(shipped("monitoring", DASHBOARD))
RULES = [rule for group in yaml.safe_load(shipped("monitoring", ALERTS))["groups"] for rule in group["rules"]]


# --- the verb ---------------------------------------------------------------------------------------------------


def test_both_files_are_written_and_what_to_do_with_them_is_said(npsbridge: Command, tmp_path: Path) -> None:
    done = npsbridge("monitoring", "made/here")
    assert (done.code, done.err) == (0, "")
    assert (tmp_path / "made/here" / DASHBOARD).read_text() == shipped("monitoring", DASHBOARD)
    assert (tmp_path / "made/here" / ALERTS).read_text() == shipped("monitoring", ALERTS)
    assert '      - targets: ["127.0.0.1:8081"]\n' in done.out


def test_where_a_token_is_asked_for_prometheus_is_told_to_show_it(
    npsbridge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPSBRIDGE_ADMIN__TOKEN", "a-long-random-token")
    shown = npsbridge("monitoring", "here").out
    scrape = yaml.safe_load(shown[shown.index("scrape_configs:") :])
    assert scrape["scrape_configs"][0]["authorization"] == {"credentials_file": "FILE"}
    assert "a-long-random-token" not in shown


def test_as_json_it_says_where_they_are(npsbridge: Command, tmp_path: Path) -> None:
    done = npsbridge("monitoring", "here", "--json")
    assert json.loads(done.out) == [str(tmp_path / "here" / name) for name in (DASHBOARD, ALERTS)]


def test_what_is_there_is_replaced_only_by_force(npsbridge: Command, tmp_path: Path) -> None:
    (tmp_path / ALERTS).write_text("mine")
    refused = npsbridge("monitoring", ".")
    assert refused.code == 64
    assert refused.err == f"npsbridge: {ALERTS} would be replaced; --force does so\n"
    assert [path.name for path in tmp_path.iterdir()] == [ALERTS]
    assert (tmp_path / ALERTS).read_text() == "mine"
    assert npsbridge("monitoring", ".", "--force").code == 0
    assert (tmp_path / ALERTS).read_text() != "mine"


def test_a_folder_that_cannot_be_made_is_an_i_o_error(npsbridge: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = npsbridge("monitoring", "file/folder")
    assert refused.code == 74
    assert "file" in refused.err


# --- the dashboard ----------------------------------------------------------------------------------------------


def lost(ours: Any, theirs: Any, place: str = "") -> Iterator[str]:
    """What of ours the schema does not know: it is gone after a round trip, or another value."""
    match ours:
        case dict():
            for name, value in ours.items():
                where = f"{place}/{name}"
                yield from lost(value, theirs[name], where) if name in theirs else [where]
        case list():
            assert len(ours) == len(theirs), place
            for number, (value, other) in enumerate(zip(ours, theirs, strict=True)):
                yield from lost(value, other, f"{place}/{number}")
        case _:
            if ours != theirs:
                yield place


def through_grafanas_schema(dashboard: dict[str, Any]) -> Any:
    """The dashboard as Grafana's own models understand it."""
    needed.validator("grafana_foundation_sdk")
    from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: PLC0415 - only where it is installed
    from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: PLC0415 - the same

    return json.loads(JSONEncoder().encode(Dashboard.from_json(dashboard)))


def test_grafanas_schema_knows_all_of_the_dashboard() -> None:
    assert list(lost(DASH, through_grafanas_schema(DASH))) == []


def test_grafanas_schema_would_find_a_slip() -> None:
    slip = {**DASH, "titel": "x", "panels": [{**DASH["panels"][1], "gridpos": {}}]}
    assert list(lost(slip, through_grafanas_schema(slip))) == ["/panels/0/gridpos", "/titel"]


def test_panels_have_a_number_a_title_and_a_place_of_their_own() -> None:
    panels = DASH["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    assert all(panel["title"] for panel in panels)
    cells = [
        (column, line)
        for panel in panels
        for place in [panel["gridPos"]]
        for column in range(place["x"], place["x"] + place["w"])
        for line in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) == 23


def test_every_panel_asks_the_prometheus_that_was_chosen() -> None:
    asked = [panel for panel in DASH["panels"] if panel["type"] != "row"]
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert [panel["title"] for panel in asked if panel["datasource"] != chosen] == []
    assert [panel["title"] for panel in asked for one in panel["targets"] if one["datasource"] != chosen] == []


def test_every_expression_of_the_dashboard_is_prometheus_language(tmp_path: Path) -> None:
    promtool = needed.program("promtool", package="prometheus")
    exprs = [one["expr"] for panel in DASH["panels"] for one in panel.get("targets", ())]
    filled = [re.sub(r"\$__rate_interval", "5m", expr).replace("$connection", ".*") for expr in exprs]
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(filled)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"SUCCESS: {len(rules)} rules found" in needed.said(
        promtool, "check", "rules", "panels.yml", folder=tmp_path
    )


# --- the alerts -------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The alerts beside their tests."""
    shutil.copy(TESTS, tmp_path)
    (tmp_path / ALERTS).write_text(shipped("monitoring", ALERTS))
    return tmp_path


def test_promtool_accepts_the_alerts(folder: Path) -> None:
    promtool = needed.program("promtool", package="prometheus")
    assert f"SUCCESS: {len(RULES)} rules found" in needed.said(promtool, "check", "rules", ALERTS, folder=folder)


def test_each_alert_fires_when_it_should_and_is_silent_otherwise(folder: Path) -> None:
    promtool = needed.program("promtool", package="prometheus")
    assert needed.said(promtool, "test", "rules", TESTS.name, folder=folder).split() == [
        *("Unit", "Testing:", TESTS.name, "SUCCESS")
    ]


def test_each_alert_has_a_test() -> None:
    tested = set(re.findall(r'alertname(?:: |=")(\w+)', TESTS.read_text()))
    assert tested == {rule["alert"] for rule in RULES}


def test_each_alert_says_how_urgent_it_is_and_what_to_do() -> None:
    assert {rule["labels"]["severity"] for rule in RULES} == {"critical", "warning"}
    assert [rule["alert"] for rule in RULES if not {"summary", "description"} <= rule["annotations"].keys()] == []


def test_each_command_that_an_alert_names_exists(npsbridge: Command) -> None:
    named = set(re.findall(r"`npsbridge ([a-z]+(?: (?:list|check|show))?)", shipped("monitoring", ALERTS)))
    assert {"status", "outbox list", "db check"} <= named
    assert [verb for verb in named if npsbridge(*verb.split(), "--help").code] == []
