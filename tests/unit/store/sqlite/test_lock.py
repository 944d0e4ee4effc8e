import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from npsbridge.errors import StoreLocked, StorePermission
from npsbridge.store.sqlite.lock import held_alone


def test_i16_a_store_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with held_alone(tmp_path / "x.db"), pytest.raises(StoreLocked), held_alone(tmp_path / "x.db"):
        pytest.fail("held twice")
    with held_alone(tmp_path / "x.db"):
        pass


def test_i16_the_message_names_the_holder_and_the_setting(tmp_path: Path) -> None:
    holder = textwrap.dedent(
        f"""
        import os, sys
        from pathlib import Path
        from npsbridge.store.sqlite.lock import held_alone
        with held_alone(Path({str(tmp_path / "x.db")!r})):
            print(os.getpid(), flush=True)
            sys.stdin.read()
        """
    )
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", holder]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:  # noqa: S603 - the script above
        assert process.stdout is not None
        number = process.stdout.readline().strip()
        with (
            pytest.raises(StoreLocked, match=rf"process {number}\b.*NPSBRIDGE_STORE_URL"),
            held_alone(tmp_path / "x.db"),
        ):
            pytest.fail("held twice")
        process.communicate("")


def test_the_lock_file_stays_so_that_nobody_locks_another_of_its_name(tmp_path: Path) -> None:
    with held_alone(tmp_path / "x.db"):
        before = (tmp_path / "x.db.lock").stat()
    after = (tmp_path / "x.db.lock").stat()
    assert before.st_ino == after.st_ino
    assert after.st_mode & 0o777 == 0o600


def test_f8_a_lock_file_that_cannot_be_made_is_a_matter_of_permission() -> None:
    with pytest.raises(StorePermission, match="writable by this user"), held_alone(Path("/sys/kernel/x.db")):
        pytest.fail("it must not be held")
