from pathlib import Path

import pytest

from npsbridge.clock import Clock
from npsbridge.errors import ConfigurationError
from npsbridge.store import open_store


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://npsbridge.db", "npsbridge.db", ""])
def test_an_unknown_url_is_a_fault_of_the_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="NPSBRIDGE_STORE_URL"):
        open_store(url, clock=Clock())


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        open_store("mysql://me:hunter2@host/db", clock=Clock())
    assert "hunter2" not in str(refusal.value)


async def test_a_relative_path_starts_in_the_given_folder(tmp_path: Path) -> None:
    async with open_store("sqlite:///data/bridge.db", clock=Clock(), folder=tmp_path):
        assert (tmp_path / "data" / "bridge.db").is_file()


async def test_a_relative_path_starts_in_the_working_directory_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_store("sqlite:///bridge.db", clock=Clock()):
        assert (tmp_path / "bridge.db").is_file()


async def test_an_absolute_path_stands_alone(tmp_path: Path) -> None:
    async with open_store(f"sqlite:///{tmp_path}/bridge.db", clock=Clock(), folder=Path("/nowhere")):
        assert (tmp_path / "bridge.db").is_file()
