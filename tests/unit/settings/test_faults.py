"""What is wrong with settings: everything at once, by name, with a hint, and without a value."""

import string
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import field_validator

from npsbridge.errors import ConfigurationError, Fault
from npsbridge.settings import PlatformSettings, Settings, describe
from npsbridge.settings import load as load_settings

Load = Callable[..., Settings]
Faults = Callable[..., list[Fault]]


def named(faults: list[Fault]) -> set[str]:
    return {fault.setting.removeprefix("NPSBRIDGE_") for fault in faults}


def test_f42_all_faults_are_reported_at_once(faults: Faults) -> None:
    found = faults(
        LISTEN="8080",
        ADMIN_LISTEN="8081",
        LOG_LEVEL="loud",
        SHUTDOWN_TIMEOUT="soon",
        INGEST__WRITE_KEYS="not json",
        EVENTS__NAMES='["No Such Event"]',
        RETENTION__DAED="1d",
        DELIGHTED__POLL_INTERVAL="0",
        DELIGHTED__SURVEYS="{",
        SEGMENT__REGION="mars",
        CONNECTIONS__EU__API_KEY="key-of-eu",
        CONNECTIONS__UK__PLATFORM="delihgted",
    )
    assert named(found) == {
        "LISTEN",
        "ADMIN_LISTEN",
        "LOG_LEVEL",
        "SHUTDOWN_TIMEOUT",
        "INGEST__WRITE_KEYS",
        "EVENTS__NAMES",
        "RETENTION__DAED",
        "DELIGHTED__POLL_INTERVAL",
        "DELIGHTED__SURVEYS",
        "DELIGHTED__API_KEY",
        "SEGMENT__REGION",
        "SEGMENT__WRITE_KEY",
        "CONNECTIONS__EU__PLATFORM",
        "CONNECTIONS__UK__PLATFORM",
    }


def test_f42_the_error_ends_a_command_with_78_and_lists_every_fault(load: Load) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(LOG_LEVEL="loud", LOG_FORMAT="xml")
    assert caught.value.exit_code == 78
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == [
        "NPSBRIDGE_LOG_LEVEL",
        "NPSBRIDGE_LOG_FORMAT",
    ]


def test_a_bad_value_is_shown_how_a_good_one_looks(faults: Faults) -> None:
    (fault,) = faults(RETENTION__RETRY="1 week")
    assert str(fault) == (
        "NPSBRIDGE_RETENTION__RETRY: is no duration; write seconds, or a number with s, m, h or d "
        "(for example NPSBRIDGE_RETENTION__RETRY=7d)"
    )


@pytest.mark.parametrize("platform", ["qualtrics", "deligted"])
def test_every_fault_shows_how_a_good_line_looks(faults: Faults, platform: str) -> None:
    found = faults(CONNECTIONS__EU__PLATFORM=platform, XYZZY="1", LISTN="", LISTEN="8080", DELIGHTED__SURVEYS="[")
    assert len(found) >= 5
    assert not [fault for fault in found if not str(fault.example).startswith("NPSBRIDGE_")]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("LISTN", "LISTEN"),
        ("INGEST__WRITEKEYS", "INGEST__WRITE_KEYS"),
        ("DELIGHTED__API_KYE", "DELIGHTED__API_KEY"),
        ("DELIGTED__API_KEY", "DELIGHTED__API_KEY"),
        ("DELIGHTED_API_KEY", "DELIGHTED__API_KEY"),
        ("_LISTEN", "LISTEN"),
        ("REGION", "SEGMENT__REGION"),
    ],
)
def test_f42_an_unknown_name_is_refused_with_the_nearest_known_one(faults: Faults, wrong: str, right: str) -> None:
    (fault,) = faults(**{wrong: "something"})
    assert (fault.setting, fault.problem) == (f"NPSBRIDGE_{wrong}", f"is unknown; did you mean NPSBRIDGE_{right}?")
    assert str(fault.example).startswith(f"NPSBRIDGE_{right}=")


def test_an_unknown_name_is_a_fault_even_when_it_is_empty(faults: Faults) -> None:
    assert named(faults(LISTN="")) == {"LISTN"}


def test_an_unknown_field_of_a_further_account_is_refused_too(faults: Faults) -> None:
    account = {"CONNECTIONS__EU__PLATFORM": "delighted", "CONNECTIONS__EU__API_KEY": "key-of-eu"}
    (fault,) = faults(**account, CONNECTIONS__EU__SURVEY="[]")
    assert fault.problem == "is unknown; did you mean NPSBRIDGE_CONNECTIONS__EU__SURVEYS?"
    assert fault.example == 'NPSBRIDGE_CONNECTIONS__EU__SURVEYS={"Order Completed":{}}'


def test_a_platform_that_does_not_exist_is_not_taken_for_another(faults: Faults) -> None:
    (fault,) = faults(RETENTLY__API_KEY="key-of-r")
    assert "there are ADMIN, CONNECTIONS, DELIGHTED," in fault.problem
    assert "did you mean" not in fault.problem


def test_a_name_like_nothing_is_refused_without_a_guess(faults: Faults) -> None:
    (fault,) = faults(XYZZY="1")
    assert fault.problem == "is unknown, and like no setting there is"
    assert fault.example == "NPSBRIDGE_LISTEN=127.0.0.1:8080"


def test_what_kubernetes_sets_for_a_service_of_our_name_is_explained(faults: Faults) -> None:
    found = faults(SERVICE_HOST="10.0.0.1", PORT_8080_TCP_ADDR="10.0.0.1")
    assert all("enableServiceLinks" in fault.problem for fault in found)


def test_a_setting_given_twice_in_two_spellings_is_a_fault(faults: Faults) -> None:
    (fault,) = faults(environ={"NPSBRIDGE_LOG_LEVEL": "INFO", "npsbridge_log_level": "DEBUG"})
    assert "set twice" in fault.problem


def test_wrong_json_inside_a_value_is_pointed_at(faults: Faults) -> None:
    (fault,) = faults(DELIGHTED__API_KEY="key-of-d", DELIGHTED__SURVEYS='{"Order Completed":{"smaple_rate":1}}')
    assert fault.problem == "at 'Order Completed', at 'smaple_rate': is unknown"
    assert fault.example == 'NPSBRIDGE_DELIGHTED__SURVEYS={"Order Completed":{}}'


def test_a_missing_key_is_named(faults: Faults) -> None:
    (fault,) = faults(DELIGHTED__POLL_INTERVAL="60")
    assert fault.setting == "NPSBRIDGE_DELIGHTED__API_KEY"


def test_a_missing_key_of_a_further_account_is_named_in_full(faults: Faults) -> None:
    (fault,) = faults(CONNECTIONS__EU__PLATFORM="segment")
    assert fault.setting == "NPSBRIDGE_CONNECTIONS__EU__WRITE_KEY"


def test_a_bad_key_is_not_called_missing(faults: Faults) -> None:
    (fault,) = faults(DELIGHTED__API_KEY="two\nlines")
    assert "line breaks" in fault.problem


def test_a_contradiction_within_a_platform_is_reported_under_its_setting(faults: Faults) -> None:
    found = faults(SEGMENT__REGION="eu", SEGMENT__BASE_URL="https://rudder.example.com")
    assert named(found) == {"SEGMENT__REGION", "SEGMENT__WRITE_KEY"}


def test_a_contradiction_is_not_reported_about_a_setting_that_is_bad_by_itself(faults: Faults) -> None:
    found = faults(LISTEN="127.0.0.1", ADMIN_LISTEN="127.0.0.1:8080")
    assert named(found) == {"LISTEN"}


def test_the_two_listeners_may_not_share_an_address(faults: Faults) -> None:
    assert named(faults(LISTEN="127.0.0.1:8081")) == {"ADMIN_LISTEN"}


def test_the_two_listeners_may_both_leave_the_port_to_the_system(load: Load) -> None:
    assert load(LISTEN="127.0.0.1:0", ADMIN_LISTEN="127.0.0.1:0").listen.port == 0


def test_listeners_that_would_believe_anybody_are_reported_with_all_other_faults(faults: Faults) -> None:
    found = faults(
        LISTEN="0.0.0.0:8080", ADMIN_LISTEN="0.0.0.0:8081", LOG_FORMAT="xml", EVENTS__SETTLE="soon", RETENTLY__X="1"
    )
    assert named(found) >= {"LISTEN", "ADMIN_LISTEN", "LOG_FORMAT", "EVENTS__SETTLE"}


@pytest.mark.parametrize(
    ("given", "bad"),
    [
        ({"ADMIN_LISTEN": "0.0.0.0:8081", "ADMIN__PASSWORD": "seven-c"}, "ADMIN__PASSWORD"),
        ({"LISTEN": "0.0.0.0:8080", "INGEST__WEBHOOK_SECRET": "two\nlines"}, "INGEST__WEBHOOK_SECRET"),
        ({"LISTEN": "0.0.0.0:8080", "DELIGHTED__API_KEY": "two\nlines"}, "DELIGHTED__API_KEY"),
    ],
)
def test_a_listener_whose_guard_is_wrong_is_not_said_to_have_none(
    faults: Faults, given: dict[str, str], bad: str
) -> None:
    assert named(faults(**given)) == {bad}


def test_a_listener_is_guarded_by_a_platform_of_which_something_else_is_wrong(faults: Faults) -> None:
    found = faults(LISTEN="0.0.0.0:8080", DELIGHTED__API_KEY="key-of-d", DELIGHTED__POLL_INTERVAL="soon")
    assert named(found) == {"DELIGHTED__POLL_INTERVAL"}


@pytest.mark.parametrize("listen", ["0.0.0.0:8081", "[::]:8081", "nps.example.com:8081"])
def test_an_admin_listener_that_others_reach_without_password_or_token_is_refused(faults: Faults, listen: str) -> None:
    (fault,) = faults(ADMIN_LISTEN=listen)
    assert fault.setting == "NPSBRIDGE_ADMIN_LISTEN"
    assert "ADMIN__PASSWORD" in fault.problem


@pytest.mark.parametrize(
    "given", [{"ADMIN__PASSWORD": "eight-ch"}, {"ADMIN__TOKEN": "sixteen-characte"}, {"ADMIN_LISTEN": "[::1]:8081"}]
)
def test_an_admin_listener_is_protected_by_a_password_a_token_or_this_machine(
    load: Load, given: dict[str, str]
) -> None:
    settings = load(**({"ADMIN_LISTEN": "0.0.0.0:8081"} | given))
    assert settings.admin.is_protected == ("ADMIN_LISTEN" not in given)


@pytest.mark.parametrize(
    ("given", "named_first", "problem"),
    [
        ({"ADMIN__PASSWORD": "seven-c"}, "ADMIN__PASSWORD", "at least 8"),
        ({"ADMIN__TOKEN": "fifteen-charact"}, "ADMIN__TOKEN", "at least 16"),
        ({"ADMIN__USER": "ann:x", "ADMIN__PASSWORD": "eight-ch"}, "ADMIN__USER", "no colon"),
        ({"ADMIN__USER": "ann"}, "ADMIN__PASSWORD", "protects nothing"),
    ],
)
def test_what_protects_little_is_refused_without_showing_it(
    faults: Faults, given: dict[str, str], named_first: str, problem: str
) -> None:
    (fault,) = faults(**given)
    assert fault.setting == f"NPSBRIDGE_{named_first}"
    assert problem in fault.problem
    assert "seven-c" not in str(fault)


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "nps.example.com:8080"])
def test_a_public_listener_without_anything_to_authenticate_callers_is_refused(faults: Faults, listen: str) -> None:
    (fault,) = faults(LISTEN=listen, SEGMENT__WRITE_KEY="key-of-s")
    assert fault.setting == "NPSBRIDGE_LISTEN"
    assert "nothing authenticates callers" in fault.problem


@pytest.mark.parametrize("name", ["SEGMENT", "DELIGHTED"])
def test_an_account_may_not_take_the_name_of_a_platform(faults: Faults, name: str) -> None:
    (fault,) = faults(**{f"CONNECTIONS__{name}__PLATFORM": "delighted"})
    assert "take another name" in fault.problem


@pytest.mark.parametrize("name", ["A__B", "ÄÖ", "-EU", "EU-", "A" * 65, "E.U"])
def test_an_account_needs_a_plain_name(faults: Faults, name: str) -> None:
    (fault,) = faults(**{f"CONNECTIONS__{name}__PLATFORM": "delighted"})
    assert "is made of letters" in fault.problem


def test_an_account_of_an_unknown_platform_is_refused_with_the_nearest(faults: Faults) -> None:
    (fault,) = faults(CONNECTIONS__EU__PLATFORM="delihgted", CONNECTIONS__EU__API_KEY="key-of-eu")
    assert fault.problem.endswith("did you mean delighted?")


def test_settings_with_an_account_without_platform_are_one_fault(faults: Faults) -> None:
    (fault,) = faults(CONNECTIONS__EU__API_KEY="key-of-eu", CONNECTIONS__EU__POLL_INTERVAL="60")
    assert fault.setting == "NPSBRIDGE_CONNECTIONS__EU__PLATFORM"


@pytest.mark.parametrize("folder", ["/var/lib/a?b", "/var/lib/a\x07b"])
def test_a_state_directory_that_no_store_can_be_in_is_a_fault(faults: Faults, folder: str) -> None:
    assert named(faults(environ={"STATE_DIRECTORY": folder})) == {"STORE_URL"}


class BrokenSettings(PlatformSettings):
    """A platform from outside whose check does not expect what it gets."""

    labels: tuple[str, ...] = ()

    @field_validator("labels", mode="before")
    @classmethod
    def _unprepared(cls, value: object) -> object:
        return value + 1  # type: ignore[operator]


def test_a_platform_whose_own_check_breaks_is_a_fault_and_no_crash() -> None:
    with pytest.raises(ConfigurationError, match=r"NPSBRIDGE_BROKEN__: .*TypeError"):
        load_settings({"broken": BrokenSettings}, environ={"NPSBRIDGE_BROKEN__LABELS": "[]"})


CANARY = "canary-4f1c9e"


def test_f43_i19_no_value_is_in_the_text_of_an_error(
    platforms: Mapping[str, type[PlatformSettings]], tmp_path: Path
) -> None:
    """Every setting in turn gets the same value, bare and as JSON of several shapes; a fault never repeats it."""
    env_file = tmp_path / "npsbridge.env"
    for doc in describe(platforms):
        for text in (CANARY, f'"{CANARY}"', f'["{CANARY}", 1]', f'{{"a": "{CANARY}"}}', f"{CANARY}\n", f"[{CANARY}"):
            env_file.write_text(f"{doc.name}={text}\n{CANARY}\n", encoding="utf-8")
            for arguments in ({"environ": {doc.name: text}}, {"environ": {}, "env_file": env_file}):
                assert CANARY not in error_text(platforms, **arguments)


def error_text(platforms: Mapping[str, type[PlatformSettings]], **arguments: object) -> str:
    try:
        load_settings(platforms, **arguments)  # type: ignore[arg-type]
    except ConfigurationError as error:
        return f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"
    return ""


NAMES = st.one_of(
    st.sampled_from(
        [
            "LISTEN", "ADMIN_LISTEN", "STORE_URL", "PUBLIC_URL", "SECRETS_DIR", "SHUTDOWN_TIMEOUT", "EVENTS__NAMES",
            "INGEST__WRITE_KEYS", "INGEST__WEBHOOK_SECRET", "DELIGHTED__API_KEY", "DELIGHTED__SURVEYS",
            "DELIGHTED__BASE_URL", "DELIGHTED__BACKFILL_SINCE", "DELIGHTED__RATE_LIMIT", "SEGMENT__INTEGRATIONS",
            "CONNECTIONS__EU__PLATFORM", "CONNECTIONS__EU__SURVEYS",
        ]
    ),
    st.text(max_size=30),
    st.text(string.ascii_uppercase + "_", max_size=30),
)  # fmt: skip
TEXTS = st.one_of(
    st.text(),
    st.sampled_from(
        ["delighted", "1", "-1", "1e999", "9" * 5000, "[" * 3000, "null", "[[1]]", "http://[", "\ud800", "\0"]
    ),
    st.recursive(
        st.none() | st.floats() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ).map(repr),
)


@given(st.dictionaries(NAMES, TEXTS, max_size=6))
def test_f42_no_environment_makes_loading_raise_anything_else(
    platforms: Mapping[str, type[PlatformSettings]], variables: dict[str, str]
) -> None:
    environ = {f"NPSBRIDGE_{name}": text for name, text in variables.items()}
    with suppress(ConfigurationError):
        assert load_settings(platforms, environ=environ).listen.port >= 0


@given(content=st.one_of(st.binary(), st.text().map(str.encode)))
def test_f42_no_env_file_makes_loading_raise_anything_else(
    platforms: Mapping[str, type[PlatformSettings]], tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    env_file = tmp_path_factory.getbasetemp() / "any.env"
    env_file.write_bytes(b"NPSBRIDGE_LOG_LEVEL=DEBUG\n" + content)
    with suppress(ConfigurationError):
        assert load_settings(platforms, env_file=env_file, environ={}).log_level == "DEBUG"
