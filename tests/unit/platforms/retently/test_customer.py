"""Which property of a track call becomes what of a customer."""

from typing import Any

import pytest

from npsbridge.platforms.retently.customer import customer


def row(**properties: Any) -> dict[str, Any]:
    found = customer("ana@example.org", properties, {})
    assert found.pop("email") == "ana@example.org"
    return found


def typed(value: object) -> tuple[str, Any] | None:
    """How one property goes out; None when it does not."""
    found = row(p=value).get("properties")
    return (found[0]["type"], found[0]["value"]) if found else None


@pytest.mark.parametrize(
    ("properties", "fields"),
    [
        ({"firstName": "Ana", "lastName": "Novak", "companyName": "Acme"}, ("Ana", "Novak", "Acme")),
        ({"first_name": "Ana", "last_name": "Novak", "company": "Acme"}, ("Ana", "Novak", "Acme")),
        ({"first_name": "B", "firstName": " Ana "}, ("Ana", None, None)),
        ({"firstName": None, "first_name": "Ana"}, ("Ana", None, None)),
        ({"firstName": 7}, ("7", None, None)),
        ({"firstName": "  "}, (None, None, None)),
        ({"firstName": "a\nb"}, ("a b", None, None)),
        ({"firstName": "x" * 300}, ("x" * 255, None, None)),
    ],
    ids=str,
)
def test_names_and_company_are_fields(properties: dict[str, Any], fields: tuple[str | None, ...]) -> None:
    found = row(**properties)
    assert tuple(found.get(name) for name in ("first_name", "last_name", "company")) == fields


def test_a_second_spelling_that_differs_is_a_property_and_not_lost() -> None:
    found = row(companyName="Acme", company="Acme Ltd")
    assert found["company"] == "Acme"
    assert found["properties"] == [{"label": "company", "type": "string", "value": "Acme Ltd"}]


def test_a_company_that_is_an_object_is_told_as_properties() -> None:
    found = row(company={"name": "Acme", "plan": "pro"})
    assert "company" not in found
    assert [item["label"] for item in found["properties"]] == ["company_name", "company_plan"]


@pytest.mark.parametrize(
    ("tags", "sent"),
    [
        ("foo, bar, baz", ["foo", "bar", "baz"]),
        (["foo", "bar,baz", 7, None, {"x": 1}], ["foo", "bar", "baz", "7"]),
        (" a ,, a ", ["a"]),
        ("x" * 300, ["x" * 255]),
        ("", None),
        ([], None),
        (None, None),
    ],
    ids=str,
)
def test_tags_are_a_text_with_commas_or_a_list(tags: object, sent: list[str] | None) -> None:
    assert row(tags=tags).get("tags") == sent


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("Professional", ("string", "Professional")),
        (" padded ", ("string", "padded")),
        ("", None),
        ("  ", None),
        (None, None),
        (12, ("integer", 12)),
        (0, ("integer", 0)),
        (2**53, ("string", "9007199254740992")),
        (49.5, ("string", "49.5")),
        (True, ("boolean", True)),
        (False, ("boolean", False)),
        ("x" * 3000, ("string", "x" * 2000)),
        ("\ud800", ("string", "\ufffd")),
        ("2026-02-03", ("date", "2026-02-03T00:00:00.000Z")),
        ("2026-02-03T10:20:30.5+02:00", ("date", "2026-02-03T08:20:30.500Z")),
        ("2026-02-03 10:20", ("date", "2026-02-03T10:20:00.000Z")),
        ("01/30/2020", ("date", "2020-01-30T00:00:00.000Z")),
        ("30/01/2020", ("string", "30/01/2020")),
        ("2026-02-30", ("string", "2026-02-30")),
        ("0001-01-01T00:00:00+10:00", ("string", "0001-01-01T00:00:00+10:00")),
        ("20260203", ("string", "20260203")),
        (["a", 1, True, None, ""], ("collection", ["a", "1", "true"])),
        ([{"sku": "s1", "price": 9.5}], ("collection", ['{"sku":"s1","price":9.5}'])),
        ([], None),
        ([None], None),
        ({}, None),
    ],
    ids=repr,
)
def test_a_value_goes_out_in_the_vendor_s_type(value: object, sent: tuple[str, Any] | None) -> None:
    assert typed(value) == sent


def test_objects_are_flattened_and_what_is_deeper_than_anybody_looks_is_left_out() -> None:
    found = row(a={"b": {"c": {"d": {"e": 1, "f": {"g": 2}}}}, "h": 3})
    assert [(item["label"], item["value"]) for item in found["properties"]] == [("a_b_c_d_e", 1), ("a_h", 3)]


def test_a_thousand_levels_break_nothing() -> None:
    deep: Any = 1
    for _ in range(1000):
        deep = {"x": [deep]}
    assert row(p=deep, q=[deep], r=1) == {"properties": [{"label": "r", "type": "integer", "value": 1}]}


def test_what_the_server_cannot_tell_apart_is_sent_once() -> None:
    found = row(**{"Plan name": "pro", "plan_name": "basic", " PLAN  NAME ": "x", "": 1, "  ": 2})
    assert [item["label"] for item in found["properties"]] == ["Plan name"]


def test_a_label_of_300_characters_is_cut() -> None:
    [item] = row(**{"x" * 300: 1})["properties"]
    assert item["label"] == "x" * 255


def test_the_ids_by_which_an_answer_finds_home_go_before_the_sender_s_own() -> None:
    found = customer("a@b.c", {"Segment User ID": "theirs", "plan": "pro"}, {"segment_user_id": "ours"})
    assert [(item["label"], item["value"]) for item in found["properties"]] == [
        ("plan", "pro"),
        ("segment_user_id", "ours"),
    ]


def test_an_id_that_looks_like_a_date_stays_as_it_is() -> None:
    found = customer("a@b.c", {}, {"segment_user_id": "2026-02-03"})
    assert found["properties"] == [{"label": "segment_user_id", "type": "string", "value": "2026-02-03"}]
