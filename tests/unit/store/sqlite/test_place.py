from pathlib import Path

import pytest
from loguru import logger

from npsbridge.errors import StorePermission
from npsbridge.store.sqlite import place
from npsbridge.store.sqlite.place import file_system, real_place, warn_of_network

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 22 0:35 / /srv/my\\040share rw - nfs4 server:/export rw,vers=4.2
41 22 0:36 / /srv rw master:3 - tmpfs tmpfs rw
42 41 0:37 / /srv rw - cifs //server/share rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/var/lib/x.db", "ext4"), ("/srv/my share/deep/x.db", "nfs4"), ("/srv/x.db", "cifs"), ("/srvx/x.db", "ext4")],
)
def test_f14_the_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind


def test_without_a_matching_mount_the_file_system_is_unknown() -> None:
    assert file_system(Path("/x.db"), "") is None


@pytest.mark.parametrize(("folder", "warnings"), [("/srv/my share", 1), ("/var/lib", 0)])
def test_f14_a_network_file_system_is_warned_of(
    folder: str, warnings: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(place, "_MOUNTS", tmp_path / "mountinfo")
    told: list[str] = []
    sink = logger.add(told.append, level="WARNING", format="{message}")
    warn_of_network(Path(folder) / "x.db")
    logger.remove(sink)
    assert len(told) == warnings
    assert all("network file system" in line for line in told)


def test_where_mounts_cannot_be_listed_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_MOUNTS", tmp_path / "missing")
    warn_of_network(tmp_path / "x.db")


def test_a_missing_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    real_place(tmp_path / "a" / "b" / "x.db")
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")] == [0o700, 0o700]


def test_a_folder_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o750)
    real_place(tmp_path / "a" / "x.db")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o750


def test_i16_a_symbolic_link_leads_to_the_real_path(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "alias.db").symlink_to("x.db")
    assert real_place(tmp_path / "link" / "alias.db") == tmp_path.resolve() / "real" / "x.db"


def test_f8_a_folder_that_cannot_be_made_is_a_matter_of_permission() -> None:
    with pytest.raises(StorePermission, match="writable by this user"):
        real_place(Path("/sys/kernel/npsbridge/x.db"))
