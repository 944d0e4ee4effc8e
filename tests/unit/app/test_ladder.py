"""What a daemon raises when it ends by an error, and what it leaves behind."""

from pathlib import Path

import pytest

from end_to_end.harness import world
from npsbridge.app.ladder import one_error
from npsbridge.errors import ListenError, StoreError, StoreLocked


def test_one_of_ours_matters_most() -> None:
    ours = StoreError("the disk failed")
    with pytest.raises(StoreError) as raised, one_error():
        raise BaseExceptionGroup("", [ValueError("x"), BaseExceptionGroup("", [KeyError("y"), ours])])
    assert raised.value is ours


def test_the_only_one_comes_alone_with_its_cause() -> None:
    error = ValueError("x")
    error.__cause__ = KeyError("why")
    with pytest.raises(ValueError, match="x") as raised, one_error():
        raise BaseExceptionGroup("", [ExceptionGroup("", [error])])
    assert isinstance(raised.value.__cause__, KeyError)


def test_several_strangers_stay_together() -> None:
    with pytest.raises(ExceptionGroup) as raised, one_error():
        raise ExceptionGroup("", [ValueError("x"), KeyError("y")])
    assert len(raised.value.exceptions) == 2


def test_no_error_is_no_error() -> None:
    with one_error():
        pass


async def test_the_owners_own_error_comes_through_as_it_is(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        with pytest.raises(ZeroDivisionError):
            async with both.daemon():
                raise ZeroDivisionError


async def test_a_store_that_is_held_is_refused_before_anything_listens(tmp_path: Path) -> None:
    async with world(tmp_path) as both, both.daemon() as app:
        taken = {"LISTEN": str(app.public), "ADMIN_LISTEN": str(app.admin)}
        with pytest.raises(StoreLocked):
            async with both.daemon(**taken):
                pass


async def test_an_address_that_is_taken_frees_the_store_again(tmp_path: Path) -> None:
    async with world(tmp_path) as both:
        async with both.daemon(STORE_URL=f"sqlite:///{tmp_path}/other.db") as app:
            with pytest.raises(ListenError, match="NPSBRIDGE_ADMIN_LISTEN"):
                async with both.daemon(ADMIN_LISTEN=str(app.admin)):
                    pass
        async with both.daemon():
            pass
