import asyncpg
import pytest

from npsbridge.errors import StoreError, StoreFull, StorePermission, StoreUnavailable, StoreUnusable
from npsbridge.store.postgres.faults import in_our_words, store_fault


def raised(sqlstate: str) -> Exception:
    """What asyncpg raises for a SQLSTATE."""
    error: Exception = asyncpg.PostgresError.new({"C": sqlstate, "M": "said by the database"})
    return error


@pytest.mark.parametrize(
    ("sqlstate", "kind", "advice"),
    [
        ("53100", StoreFull, "free some room"),
        ("25006", StoreUnavailable, "standby"),
        ("53300", StoreUnavailable, "max_connections"),
        ("57P01", StoreUnavailable, "tried again"),
        ("57P03", StoreUnavailable, "tried again"),
        ("57014", StoreUnavailable, "tried again"),
        ("08006", StoreUnavailable, "tried again"),
        ("40001", StoreUnavailable, "tried again"),
        ("40003", StoreUnavailable, "not known whether"),
        ("XX000", StoreUnavailable, "its log says more"),
        ("28P01", StorePermission, "user and password"),
        ("42501", StorePermission, "all rights on the schema"),
        ("3D000", StoreUnusable, "make the database"),
        ("42P01", StoreUnusable, "restore"),
        ("XX001", StoreUnusable, "restore"),
    ],
)
def test_what_the_database_says_tells_what_to_do(sqlstate: str, kind: type[StoreError], advice: str) -> None:
    fault = store_fault(raised(sqlstate), "db/nps")
    assert type(fault) is kind
    assert str(fault).startswith("db/nps: said by the database; ")
    assert advice in str(fault)


@pytest.mark.parametrize(
    "lost",
    [
        ConnectionResetError("reset"),
        TimeoutError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.exceptions.TargetServerAttributeNotMatched("a standby"),
    ],
)
def test_f12_a_database_that_is_gone_is_tried_again(lost: Exception) -> None:
    with pytest.raises(StoreUnavailable, match="tried again until it works") as refusal, in_our_words("db/nps"):
        raise lost
    assert refusal.value.__cause__ is lost


@pytest.mark.parametrize("mistake", [raised("42601"), raised("22P02"), ValueError("no number")])
def test_a_mistake_of_our_own_stays_what_it_is(mistake: Exception) -> None:
    with pytest.raises(type(mistake)), in_our_words("db/nps"):
        raise mistake
