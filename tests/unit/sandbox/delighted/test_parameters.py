"""How parameters are read, whatever is sent."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npsbridge.sandbox.delighted import DelightedSwitches
from npsbridge.sandbox.delighted import parameters as read

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a=1&a=2", {"a": "2"}),
        ("a[]=1&a[]=2", {"a[]": ["1", "2"]}),
        ("a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        ("a[b][]=1&a[b][]=2", {"a": {"b": ["1", "2"]}}),
        ("per_page=5&per_page[]=6&per_page[][]=7", {"per_page": "5", "per_page[]": ["6"], "per_page[][]": ["7"]}),
        ("a=1&a[b]=2", {"a": "1"}),
        ("a[b]=", {"a": {"b": ""}}),
        ("a[=1&b]=2", {"a[": "1", "b]": "2"}),
    ],
)
def test_brackets_are_read_as_rails_does(query: str, expected: dict[str, Any]) -> None:
    assert read.unbracketed(parse_qsl(query, keep_blank_values=True)) == expected


@given(pairs=st.lists(st.tuples(st.text("ab[]", max_size=8), st.text(max_size=3)), max_size=8))
def test_no_brackets_are_an_accident(pairs: list[tuple[str, str]]) -> None:
    assert isinstance(read.unbracketed(pairs), dict)


def refusal(reading: Callable[..., object], value: object, *more: object, **options: object) -> list[str]:
    """The parameters that are refused by name; none if the value can be read."""
    try:
        reading({"name": value}, "name", *more, **options)
    except read.ApiError as error:
        return list(error.errors or ["nothing is named"])
    return []


@pytest.mark.parametrize("reading", [read.integer, read.text, read.email, read.phone_number, read.person_name])
@given(value=json_values)
def test_f37_any_value_is_read_or_refused_by_name(reading: Callable[..., object], value: object) -> None:
    assert refusal(reading, value) in ([], ["name"])


@given(value=json_values)
def test_f37_any_flag_is_read_or_refused_by_name(value: object) -> None:
    assert refusal(read.boolean, value, default=True) in ([], ["name"])


@given(value=json_values.filter(lambda value: not isinstance(value, dict) and value not in (None, "")))
def test_properties_must_be_a_map(value: object) -> None:
    assert refusal(read.properties, value, DelightedSwitches()) == ["name"]


@given(value=st.dictionaries(st.text(max_size=5), json_values, max_size=3))
def test_properties_are_always_text(value: dict[str, Any]) -> None:
    properties = read.properties({"name": value}, "name", DelightedSwitches()) or {}
    assert all(isinstance(text, str) for text in properties.values())


@pytest.mark.parametrize(("value", "number"), [(5, 5), ("5", 5), (5.0, 5), (" 5 ", 5), ("-5", -5), ("", None)])
def test_whole_numbers_may_be_text(value: object, number: int | None) -> None:
    assert read.integer({"name": value}, "name") == number
