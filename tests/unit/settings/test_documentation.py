"""What settings say of themselves."""

from collections.abc import Mapping

import pytest

from npsbridge.settings import PlatformSettings, SettingDoc, describe

Platforms = Mapping[str, type[PlatformSettings]]


@pytest.fixture(scope="session")
def docs(platforms: Platforms) -> dict[str, SettingDoc]:
    return {doc.name.removeprefix("NPSBRIDGE_"): doc for doc in describe(platforms)}


@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("STORE_URL", "sqlite:///npsbridge.db"),
        ("LISTEN", "127.0.0.1:8080"),
        ("PUBLIC_URL", None),
        ("SHUTDOWN_TIMEOUT", "30"),
        ("INGEST__WRITE_KEYS", None),
        ("INGEST__MAX_TRIGGER_AGE", "86400"),
        ("EVENTS__ALSO", "[]"),
        ("IDENTITY__ALLOW_EMAIL_USER_ID", "false"),
        ("RETENTION__DEAD", "30d"),
        ("DELIGHTED__API_KEY", None),
        ("DELIGHTED__POLL_INTERVAL", "60"),
        ("DELIGHTED__RESCAN", "30d"),
        ("DELIGHTED__SURVEYS", "{}"),
        ("DELIGHTED__ON_UNKNOWN", "verify"),
        ("SEGMENT__RATE_LIMIT", "1000"),
    ],
)
def test_a_default_is_shown_as_one_would_write_it(docs: dict[str, SettingDoc], name: str, default: str | None) -> None:
    assert docs[name].default == default


def test_every_setting_has_a_meaning_even_where_a_platform_only_changed_its_default(
    docs: dict[str, SettingDoc],
) -> None:
    assert [doc.name for doc in docs.values() if not doc.meaning] == []


def test_settings_that_hold_secrets_are_marked(docs: dict[str, SettingDoc]) -> None:
    assert {name for name, doc in docs.items() if doc.secret} == {
        "ADMIN__PASSWORD",
        "ADMIN__TOKEN",
        "INGEST__WRITE_KEYS",
        "INGEST__WEBHOOK_SECRET",
        "DELIGHTED__API_KEY",
        "DELIGHTED__WEBHOOK_SECRET",
        "SEGMENT__WRITE_KEY",
    }


def test_a_setting_knows_its_platform(docs: dict[str, SettingDoc]) -> None:
    assert (docs["SEGMENT__REGION"].platform, docs["EVENTS__SETTLE"].platform) == ("segment", None)


def test_a_platforms_own_settings_come_before_those_that_all_share(docs: dict[str, SettingDoc]) -> None:
    names = list(docs)
    assert names.index("DELIGHTED__SURVEYS") < names.index("DELIGHTED__POLL_INTERVAL")
