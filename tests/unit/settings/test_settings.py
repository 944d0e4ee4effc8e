"""What good settings become."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from npsbridge.settings import Address, PlatformSettings, Settings
from npsbridge.settings import load as load_settings

Load = Callable[..., Settings]


def platform_settings(settings: Settings, connection: str) -> Any:
    """The stand-in's own fields are unknown to the type checker."""
    return settings.connections[connection].settings


def test_without_any_setting_everything_has_its_default(load: Load) -> None:
    settings = load()
    assert settings.store_url == "sqlite:///npsbridge.db"
    assert (settings.listen, settings.admin_listen) == (Address("127.0.0.1", 8080), Address("127.0.0.1", 8081))
    assert (settings.log_level, settings.log_format, settings.shutdown_timeout) == ("INFO", "auto", 30)
    assert (settings.ingest.max_trigger_age, settings.events.settle) == (86400, 0)
    assert len(settings.events.names) == 5
    assert not settings.connections
    assert not settings.secrets()


@pytest.mark.parametrize(
    ("name", "text", "path", "value"),
    [
        ("STORE_URL", "postgresql://nps@db/nps", "store_url", "postgresql://nps@db/nps"),
        ("STORE_URL", "postgresql://nps@a:1,[::1]:2/nps", "store_url", "postgresql://nps@a:1,[::1]:2/nps"),
        ("LISTEN", "[::1]:9000", "listen", Address("::1", 9000)),
        ("ADMIN_LISTEN", "localhost:9001", "admin_listen", Address("localhost", 9001)),
        ("PUBLIC_URL", "https://nps.example.com/", "public_url", "https://nps.example.com"),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("LOG_FORMAT", "JSON", "log_format", "json"),
        ("SHUTDOWN_TIMEOUT", "1m", "shutdown_timeout", 60),
        ("INGEST__MAX_TRIGGER_AGE", "24h", "ingest.max_trigger_age", 86400),
        ("EVENTS__NAMES", '["Submit Survey"]', "events.names", ("Submit Survey",)),
        ("EVENTS__ON_UPDATE", "traits", "events.on_update", "traits"),
        ("EVENTS__SETTLE", "90s", "events.settle", 90),
        ("EVENTS__ALSO", '["delighted_source"]', "events.also", ("delighted_source",)),
        ("IDENTITY__ALLOW_EMAIL_USER_ID", "true", "identity.allow_email_user_id", True),
        ("RETENTION__JOURNAL", "1d", "retention.journal", 86400),
        ("RETENTION__DELIVERED", "2d", "retention.delivered", 172800),
        ("RETENTION__DEAD", "3d", "retention.dead", 259200),
        ("RETENTION__RETRY", "72h", "retention.retry", 259200),
    ],
)
def test_every_general_setting_of_the_contract_can_be_set(
    load: Load, name: str, text: str, path: str, value: object
) -> None:
    found: Any = load(**{name: text})
    for step in path.split("."):
        found = getattr(found, step)
    assert found == value


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("BASE_URL", "http://127.0.0.1:9/v1/", "base_url", "http://127.0.0.1:9/v1"),
        ("POLL_INTERVAL", "15m", "poll_interval", 900),
        ("OVERLAP", "5m", "overlap", 300),
        ("RESCAN", "90d", "rescan", 7776000),
        ("RATE_LIMIT", "0", "rate_limit", 0),
        ("BACKFILL", "false", "backfill", False),
        ("BACKFILL_SINCE", "2024-01-31", "backfill_since", datetime(2024, 1, 31, tzinfo=UTC)),
        ("FORWARD", "no", "forward", False),
        ("PULL", "0", "pull", False),
        ("ON_UNKNOWN", "resend", "on_unknown", "resend"),
    ],
)
def test_every_setting_of_a_survey_platform_can_be_set(
    load: Load, name: str, text: str, field: str, value: object
) -> None:
    settings = load(**{"DELIGHTED__API_KEY": "key-of-d", f"DELIGHTED__{name}": text})
    assert getattr(platform_settings(settings, "delighted"), field) == value


def test_surveys_are_json_with_rules_for_each_event(load: Load) -> None:
    text = '{"Order Completed":{"sample_rate":0.5,"delay":0,"channel":"sms"}}'
    rules = platform_settings(load(DELIGHTED__API_KEY="key-of-d", DELIGHTED__SURVEYS=text), "delighted").surveys
    assert (rules["Order Completed"].sample_rate, rules["Order Completed"].channel) == (0.5, "sms")


def test_a_list_of_surveys_means_their_defaults(load: Load) -> None:
    settings = load(DELIGHTED__API_KEY="key-of-d", DELIGHTED__SURVEYS='["Order Completed"]')
    assert platform_settings(settings, "delighted").surveys["Order Completed"].sample_rate == 1


def test_integrations_are_any_json_object(load: Load) -> None:
    settings = load(SEGMENT__WRITE_KEY="key-of-s", SEGMENT__INTEGRATIONS='{"All":false,"Warehouse":{"a":[1]}}')
    assert platform_settings(settings, "segment").integrations == {"All": False, "Warehouse": {"a": [1]}}


def test_names_may_be_written_in_any_case(load: Load) -> None:
    assert load(environ={"npsbridge_Log_Level": "DEBUG"}).log_level == "DEBUG"


def test_an_empty_value_means_unset(load: Load) -> None:
    settings = load(LOG_LEVEL="", PUBLIC_URL=" ", DELIGHTED__API_KEY="", EVENTS__NAMES="")
    assert settings == load()


def test_a_platform_named_at_the_top_is_the_connection_of_that_name(load: Load) -> None:
    connection = load(DELIGHTED__API_KEY="key-of-d").connections["delighted"]
    assert (connection.name, connection.platform, connection.prefix) == (
        "delighted",
        "delighted",
        "NPSBRIDGE_DELIGHTED__",
    )


def test_a_further_account_has_the_same_fields_under_its_own_name(load: Load) -> None:
    settings = load(
        CONNECTIONS__EU__PLATFORM="delighted",
        CONNECTIONS__EU__API_KEY="key-of-eu",
        CONNECTIONS__EU__POLL_INTERVAL="2m",
        CONNECTIONS__EU__SURVEYS='["Order Completed"]',
    )
    connection = settings.connections["eu"]
    assert (connection.platform, connection.prefix) == ("delighted", "NPSBRIDGE_CONNECTIONS__EU__")
    assert platform_settings(settings, "eu").poll_interval == 120
    assert "Order Completed" in platform_settings(settings, "eu").surveys


def test_a_sink_may_have_further_accounts_too(load: Load) -> None:
    settings = load(**{"CONNECTIONS__copy-2__PLATFORM": "segment", "CONNECTIONS__copy-2__WRITE_KEY": "key-of-s"})
    assert settings.connections["copy-2"].platform == "segment"


def test_a_platform_with_both_directions_off_needs_no_key(load: Load) -> None:
    settings = load(DELIGHTED__PULL="false", DELIGHTED__FORWARD="false")
    assert "delighted" in settings.connections


@pytest.mark.parametrize(
    ("folders", "url"),
    [
        ("/var/lib/npsbridge", "sqlite:////var/lib/npsbridge/npsbridge.db"),
        ("/var/lib/npsbridge:/var/lib/other", "sqlite:////var/lib/npsbridge/npsbridge.db"),
        ("", "sqlite:///npsbridge.db"),
    ],
)
def test_the_store_is_in_systemds_state_directory_if_there_is_one(load: Load, folders: str, url: str) -> None:
    assert load(environ={"STATE_DIRECTORY": folders}).store_url == url


def test_a_store_that_is_set_is_not_moved_to_the_state_directory(load: Load) -> None:
    settings = load(STORE_URL="sqlite:///here.db", environ={"STATE_DIRECTORY": "/var/lib/npsbridge"})
    assert settings.store_url == "sqlite:///here.db"


def test_the_webhook_secret_may_be_two_during_a_rotation(load: Load) -> None:
    settings = load(INGEST__WEBHOOK_SECRET='["old-secret", "new-secret"]')
    assert [secret.get_secret_value() for secret in settings.ingest.webhook_secret] == ["old-secret", "new-secret"]


def test_the_secrets_are_all_that_must_not_be_shown(load: Load) -> None:
    settings = load(
        STORE_URL="postgresql://nps:pass%40word@db/nps?password=other-password",
        INGEST__WRITE_KEYS='["write-key-1", "write-key-2"]',
        INGEST__WEBHOOK_SECRET="hook-secret",
        DELIGHTED__API_KEY="key-of-d",
        CONNECTIONS__EU__PLATFORM="segment",
        CONNECTIONS__EU__WRITE_KEY="key-of-s",
    )
    assert sorted(settings.secrets()) == [
        "hook-secret",
        "key-of-d",
        "key-of-s",
        "other-password",
        "pass%40word",
        "pass@word",
        "write-key-1",
        "write-key-2",
    ]


def test_i19_no_secret_is_in_the_text_of_settings(load: Load) -> None:
    settings = load(
        STORE_URL="postgresql://nps:canary@db/nps",
        INGEST__WRITE_KEYS='["canary"]',
        INGEST__WEBHOOK_SECRET="canary",
        DELIGHTED__API_KEY="canary",
        SEGMENT__WRITE_KEY="canary",
    )
    assert "canary" not in f"{settings} {settings!r} {settings.connections!r} {settings.ingest}"


def test_settings_cannot_be_changed(load: Load) -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.log_level = "DEBUG"  # type: ignore[misc]


def test_equal_sources_make_equal_settings(load: Load) -> None:
    assert load(DELIGHTED__API_KEY="key-of-d") == load(DELIGHTED__API_KEY="key-of-d")
    assert load(DELIGHTED__API_KEY="key-of-d") != load(DELIGHTED__API_KEY="another-key")


def test_the_process_environment_is_read_when_no_other_is_handed_in(
    platforms: Mapping[str, type[PlatformSettings]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPSBRIDGE_LOG_LEVEL", "ERROR")
    assert load_settings(platforms).log_level == "ERROR"


@pytest.mark.parametrize(
    "guard",
    [
        {"INGEST__WRITE_KEYS": '["write-key"]'},
        {"INGEST__WEBHOOK_SECRET": "hook-secret"},
        {"DELIGHTED__API_KEY": "key-of-d"},
    ],
)
def test_a_public_listener_is_allowed_when_something_authenticates_callers(load: Load, guard: dict[str, str]) -> None:
    assert not load(LISTEN="0.0.0.0:8080", **guard).listen.is_loopback
