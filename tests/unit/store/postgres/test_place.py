import inspect
from typing import Any

import pytest
from asyncpg.connect_utils import _parse_connect_arguments
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.store.postgres.place import place_of
from npsbridge.store.postgres.texts import stored, told

_UNSAID: dict[str, Any] = dict.fromkeys(inspect.signature(_parse_connect_arguments).parameters) | {
    "command_timeout": None,
    "statement_cache_size": 0,
    "max_cached_statement_lifetime": 0,
    "max_cacheable_statement_size": 0,
}
_UNSAID.pop("dsn")


@pytest.mark.parametrize(
    ("url", "schema", "shown"),
    [
        ("postgresql://nps:word@db.example:5433/nps", "npsbridge", "db.example:5433/nps (schema npsbridge)"),
        ("postgresql://nps:word@/nps?host=/run/pg&search_path=own", "own", "/run/pg/nps (schema own)"),
        ("postgresql:///nps", "npsbridge", "localhost/nps (schema npsbridge)"),
        ("postgresql://nps:w:d@one:5432,two:6432/nps", "npsbridge", "one:5432,two:6432/nps (schema npsbridge)"),
        ("postgresql://nps:w%40d@[::1]:5432/nps", "npsbridge", "[::1]:5432/nps (schema npsbridge)"),
    ],
)
def test_i19_a_place_is_named_without_its_password(url: str, schema: str, shown: str) -> None:
    place = place_of(url)
    assert (place.schema, place.shown) == (schema, shown)
    assert not any("search_path" in url for url in place.urls)


def test_what_else_the_url_asks_for_is_left_to_the_driver() -> None:
    url = "postgresql://nps@db/nps?sslmode=verify-full&search_path=own&password=a%26b"
    assert place_of(url).urls == ("postgresql://nps@db/nps?sslmode=verify-full&password=a%26b",)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://nps:a%26b@one:5432,two:6432/nps?sslmode=require", [("one", 5432), ("two", 6432)]),
        ("postgresql://nps:a%26b@one,[::1]/nps?sslmode=require", [("one", 5432), ("::1", 5432)]),
        ("postgresql://nps:a%26b@/nps?sslmode=require&host=one,two&port=6432", [("one", 6432), ("two", 6432)]),
        ("postgresql://nps:a%26b@/nps?sslmode=require&host=one,two&port=1,2", [("one", 1), ("two", 2)]),
    ],
)
def test_of_several_hosts_each_is_asked_by_a_url_of_its_own_and_all_else_stays(
    url: str, hosts: list[tuple[str, int]]
) -> None:
    found = []
    for one in place_of(url).urls:
        addresses, wanted, _ = _parse_connect_arguments(dsn=one, **_UNSAID)
        assert (wanted.user, wanted.password, wanted.database, wanted.sslmode.name) == ("nps", "a&b", "nps", "require")
        found += addresses
    assert found == hosts


@given(st.text(alphabet=st.characters(exclude_characters="\ufdd0", exclude_categories=["Cs"])))
def test_a_text_with_nul_comes_back_as_it_was(text: str) -> None:
    assert "\0" not in stored(text)
    assert told(stored(text)) == text
