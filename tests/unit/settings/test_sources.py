"""Where settings are read from, and which source wins."""

from collections.abc import Callable
from pathlib import Path

import pytest

from npsbridge.errors import Fault
from npsbridge.settings import Settings

Load = Callable[..., Settings]
Faults = Callable[..., list[Fault]]


def env_file_with(folder: Path, text: str) -> Path:
    path = folder / "npsbridge.env"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o640)
    return path


def secret_folder(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o400)
    return folder


def delighted_key(settings: Settings) -> str:
    (secret,) = settings.secrets()
    return secret


# --- which source wins ------------------------------------------------------------------------------------------


def test_the_environment_beats_the_env_file(load: Load, tmp_path: Path) -> None:
    env_file = env_file_with(tmp_path, "NPSBRIDGE_LOG_LEVEL=ERROR\nNPSBRIDGE_LOG_FORMAT=json\n")
    settings = load(env_file=env_file, LOG_LEVEL="DEBUG")
    assert (settings.log_level, settings.log_format) == ("DEBUG", "json")


def test_the_env_file_beats_a_secret_file(load: Load, tmp_path: Path) -> None:
    env_file = env_file_with(tmp_path, "NPSBRIDGE_DELIGHTED__API_KEY=key-in-env-file\n")
    folder = secret_folder(tmp_path / "secrets", delighted__api_key="key-in-secret-file")
    assert delighted_key(load(env_file=env_file, SECRETS_DIR=str(folder))) == "key-in-env-file"


def test_systemds_credentials_beat_the_folder_of_secrets(load: Load, tmp_path: Path) -> None:
    credentials = secret_folder(tmp_path / "credentials", delighted__api_key="key-from-systemd")
    folder = secret_folder(tmp_path / "secrets", delighted__api_key="key-in-secret-file", log_level="DEBUG")
    settings = load(SECRETS_DIR=str(folder), environ={"CREDENTIALS_DIRECTORY": str(credentials)})
    assert (delighted_key(settings), settings.log_level) == ("key-from-systemd", "DEBUG")


def test_an_empty_value_of_a_stronger_source_hides_nothing(load: Load, tmp_path: Path) -> None:
    folder = secret_folder(tmp_path / "secrets", delighted__api_key="key-in-secret-file")
    settings = load(DELIGHTED__API_KEY="", SECRETS_DIR=str(folder))
    assert delighted_key(settings) == "key-in-secret-file"


def test_a_json_value_of_a_stronger_source_replaces_the_weaker_one_whole(load: Load, tmp_path: Path) -> None:
    env_file = env_file_with(tmp_path, 'NPSBRIDGE_SEGMENT__INTEGRATIONS={"All": false}\n')
    settings = load(env_file=env_file, SEGMENT__WRITE_KEY="key-of-s", SEGMENT__INTEGRATIONS='{"Mixpanel": true}')
    assert settings.connections["segment"].settings.model_dump()["integrations"] == {"Mixpanel": True}


def test_the_folder_of_secrets_may_be_named_in_the_env_file(load: Load, tmp_path: Path) -> None:
    folder = secret_folder(tmp_path / "secrets", delighted__api_key="key-in-secret-file")
    env_file = env_file_with(tmp_path, f"NPSBRIDGE_SECRETS_DIR={folder}\n")
    assert delighted_key(load(env_file=env_file)) == "key-in-secret-file"


def test_a_further_account_may_be_spread_over_the_sources(load: Load, tmp_path: Path) -> None:
    env_file = env_file_with(tmp_path, "NPSBRIDGE_CONNECTIONS__EU__PLATFORM=delighted\n")
    folder = secret_folder(tmp_path / "secrets", connections__eu__api_key="key-of-eu")
    settings = load(env_file=env_file, SECRETS_DIR=str(folder), CONNECTIONS__EU__RATE_LIMIT="30")
    assert settings.connections["eu"].settings.model_dump()["rate_limit"] == 30
    assert delighted_key(settings) == "key-of-eu"


# --- the env file -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "integrations"),
    [
        ('NPSBRIDGE_SEGMENT__INTEGRATIONS={"All": false}', {"All": False}),
        ("NPSBRIDGE_SEGMENT__INTEGRATIONS='{\"a # b\": 1}'", {"a # b": 1}),
        ('export NPSBRIDGE_SEGMENT__INTEGRATIONS="{\\"a\\": 1}"  # why', {"a": 1}),
        ('NPSBRIDGE_SEGMENT__INTEGRATIONS={"a": "${HOME}"}', {"a": "${HOME}"}),
    ],
)
def test_the_env_file_takes_values_bare_or_quoted_and_as_they_stand(
    load: Load, tmp_path: Path, line: str, integrations: object
) -> None:
    env_file = env_file_with(tmp_path, f"# comment\n\n{line}\nNPSBRIDGE_SEGMENT__WRITE_KEY=key-of-s\n")
    settings = load(env_file=env_file)
    assert settings.connections["segment"].settings.model_dump()["integrations"] == integrations


def test_names_of_other_programs_in_the_env_file_are_passed_over(load: Load, tmp_path: Path) -> None:
    env_file = env_file_with(tmp_path, "LISTEN=0.0.0.0:1\nPOSTGRES_PASSWORD=x\nOTHER__API_KEY=y\n")
    assert load(env_file=env_file) == load()


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("DELIGHTED__API_KEY=x", "NPSBRIDGE_DELIGHTED__API_KEY"),
        ("NPSBRIGDE_LISTEN=x", "NPSBRIDGE_LISTEN"),
        ("NPS_BRIDGE_LISTEN=x", "NPSBRIDGE_LISTEN"),
    ],
)
def test_a_line_that_lacks_the_prefix_is_a_fault(faults: Faults, tmp_path: Path, line: str, meant: str) -> None:
    (fault,) = faults(env_file=env_file_with(tmp_path, f"{line}\n"))
    assert fault.problem == f"should be {meant}, in {tmp_path / 'npsbridge.env'} line 1"


def test_a_bad_value_in_the_env_file_is_found_by_its_line(faults: Faults, tmp_path: Path) -> None:
    (fault,) = faults(env_file=env_file_with(tmp_path, "# one\n\n\nNPSBRIDGE_LOG_FORMAT=xml\n"))
    assert "npsbridge.env line 4" in fault.problem


@pytest.mark.parametrize("line", ["NPSBRIDGE_LISTEN", 'NPSBRIDGE_LISTEN="half', "just some words", "= value"])
def test_a_line_that_cannot_be_parsed_is_a_fault(faults: Faults, tmp_path: Path, line: str) -> None:
    found = faults(env_file=env_file_with(tmp_path, f"\n{line}\n"))
    assert "line 2 is not NAME=value" in found[0].problem


def test_the_same_setting_twice_in_the_env_file_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    text = "NPSBRIDGE_LOG_LEVEL=INFO\nNPSBRIDGE_LOG_LEVEL=DEBUG\n"
    (fault,) = faults(env_file=env_file_with(tmp_path, text))
    assert fault.problem.startswith("is set twice, differently")


def test_an_env_file_that_does_not_exist_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    (fault,) = faults(env_file=tmp_path / "missing.env")
    assert (fault.setting, fault.problem) == ("--env-file", f"{tmp_path / 'missing.env'} does not exist")


def test_a_folder_is_no_env_file(faults: Faults, tmp_path: Path) -> None:
    (fault,) = faults(env_file=tmp_path)
    assert "Is a directory" in fault.problem


def test_an_env_file_that_is_no_text_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "npsbridge.env").write_bytes(b"NPSBRIDGE_LOG_LEVEL=\xff")
    (fault,) = faults(env_file=tmp_path / "npsbridge.env")
    assert "not UTF-8" in fault.problem


def test_what_an_unreadable_source_may_hold_is_not_called_missing(faults: Faults, tmp_path: Path) -> None:
    found = faults(env_file=tmp_path / "missing.env", DELIGHTED__POLL_INTERVAL="60", LISTEN="0.0.0.0:80")
    assert [fault.setting for fault in found] == ["--env-file"]


# --- secret files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["key-of-d", "key-of-d\n", "key-of-d\r\n"])
def test_one_line_break_at_the_end_of_a_secret_file_does_not_count(load: Load, tmp_path: Path, text: str) -> None:
    folder = secret_folder(tmp_path / "secrets", delighted__api_key=text)
    assert delighted_key(load(SECRETS_DIR=str(folder))) == "key-of-d"


def test_a_second_line_break_does_count(faults: Faults, tmp_path: Path) -> None:
    folder = secret_folder(tmp_path / "secrets", delighted__api_key="key-of-d\n\n")
    (fault,) = faults(SECRETS_DIR=str(folder))
    assert f"in the file {folder / 'delighted__api_key'}" in fault.problem


def test_files_that_cannot_be_meant_for_us_are_left_alone(load: Load, tmp_path: Path) -> None:
    names = ("tls_key", "postgres_password", "npsbridge.env", ".hidden__api_key", "key", "api_key")
    folder = secret_folder(tmp_path / "secrets", **dict.fromkeys(names, "x"))
    (folder / "folder").mkdir()
    assert load(SECRETS_DIR=str(folder), environ={}).secrets() == []


@pytest.mark.parametrize(
    "name", ["delighted__api_kye", "delighted_api_key", "delighted__api_key.txt", "npsbridge_delighted__api_key"]
)
def test_a_file_whose_name_is_nearly_ours_is_a_fault(faults: Faults, tmp_path: Path, name: str) -> None:
    folder = secret_folder(tmp_path / "secrets", **{name: "x"})
    (fault,) = faults(SECRETS_DIR=str(folder))
    assert fault.setting == name
    assert fault.problem.endswith("did you mean delighted__api_key?")


def test_a_secret_file_may_be_named_in_capitals(load: Load, tmp_path: Path) -> None:
    folder = secret_folder(tmp_path / "secrets", DELIGHTED__API_KEY="key-of-d")
    assert delighted_key(load(SECRETS_DIR=str(folder))) == "key-of-d"


def test_a_secret_file_that_is_no_plain_file_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "delighted__api_key").mkdir()
    (fault,) = faults(SECRETS_DIR=str(tmp_path))
    assert "no plain file" in fault.problem


def test_a_secret_file_that_is_no_text_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "delighted__api_key").write_bytes(b"\xff\xfe")
    (fault,) = faults(SECRETS_DIR=str(tmp_path))
    assert "not UTF-8" in fault.problem


def test_a_secret_file_of_a_megabyte_is_a_fault(faults: Faults, tmp_path: Path) -> None:
    (tmp_path / "delighted__api_key").write_bytes(b"x" * (1 << 20) + b"x")
    (fault,) = faults(SECRETS_DIR=str(tmp_path))
    assert "larger than a secret" in fault.problem


def test_a_secret_file_that_may_not_be_read_is_a_fault(
    faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    folder = secret_folder(tmp_path / "secrets", delighted__api_key="key-of-d")
    # The tests may run as root, whom no mode of a file stops.
    monkeypatch.setattr(Path, "read_text", refuse)
    (fault,) = faults(SECRETS_DIR=str(folder))
    assert fault.problem.endswith("cannot be read: Permission denied")


@pytest.mark.parametrize("folder", ["/does/not/exist", "/dev/null", "\0"])
def test_a_folder_of_secrets_that_cannot_be_read_is_a_fault(faults: Faults, folder: str) -> None:
    (fault,) = faults(SECRETS_DIR=folder)
    assert fault.setting == "NPSBRIDGE_SECRETS_DIR"


def test_systemd_may_name_a_folder_of_credentials_that_it_did_not_make(load: Load) -> None:
    assert load(environ={"CREDENTIALS_DIRECTORY": "/run/credentials/does-not-exist"}) == load()


# --- who else can read it ---------------------------------------------------------------------------------------


def test_f43_a_secret_file_that_everybody_can_read_is_warned_of(load: Load, tmp_path: Path) -> None:
    folder = secret_folder(tmp_path / "secrets", delighted__api_key="key-of-d", segment__write_key="key-of-s")
    (folder / "delighted__api_key").chmod(0o444)
    (warning,) = load(SECRETS_DIR=str(folder)).warnings
    assert warning.startswith("NPSBRIDGE_DELIGHTED__API_KEY can be read by every user")
    assert "key-of-d" not in warning


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("NPSBRIDGE_LOG_LEVEL=DEBUG\n", 0),
        ("NPSBRIDGE_DELIGHTED__API_KEY=key-of-d\n", 1),
        ("NPSBRIDGE_DELIGHTED__API_KEY=key-of-d\nNPSBRIDGE_SEGMENT__WRITE_KEY=key-of-s\n", 1),
        ("NPSBRIDGE_STORE_URL=postgresql://nps:password@db/nps\n", 1),
        ("NPSBRIDGE_STORE_URL=sqlite:///nps.db\n", 0),
    ],
)
def test_f43_an_env_file_that_everybody_can_read_is_warned_of_when_it_holds_a_secret(
    load: Load, tmp_path: Path, text: str, count: int
) -> None:
    env_file = env_file_with(tmp_path, text)
    env_file.chmod(0o644)
    warnings = load(env_file=env_file).warnings
    assert len(warnings) == count
    assert all(line.split("=")[0] in warnings[0] for line in text.splitlines() if count)
