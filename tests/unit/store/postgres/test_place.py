import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.store.postgres.place import place_of
from npsbridge.store.postgres.texts import stored, told


@pytest.mark.parametrize(
    ("url", "schema", "shown"),
    [
        ("postgresql://nps:word@db.example:5433/nps", "npsbridge", "db.example:5433/nps (schema npsbridge)"),
        ("postgresql://nps:word@/nps?host=/run/pg&search_path=own", "own", "/run/pg/nps (schema own)"),
        ("postgresql:///nps", "npsbridge", "localhost/nps (schema npsbridge)"),
    ],
)
def test_i19_a_place_is_named_without_its_password(url: str, schema: str, shown: str) -> None:
    place = place_of(url)
    assert (place.schema, place.shown) == (schema, shown)
    assert "search_path" not in place.url


def test_what_else_the_url_asks_for_is_left_to_the_driver() -> None:
    url = "postgresql://nps@db/nps?sslmode=verify-full&search_path=own&password=a%26b"
    assert place_of(url).url == "postgresql://nps@db/nps?sslmode=verify-full&password=a%26b"


@given(st.text(alphabet=st.characters(exclude_characters="\ufdd0", exclude_categories=["Cs"])))
def test_a_text_with_nul_comes_back_as_it_was(text: str) -> None:
    assert "\0" not in stored(text)
    assert told(stored(text)) == text
