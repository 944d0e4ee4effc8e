"""Where a write key may stand, and which place counts."""

import base64

import pytest
from multidict import CIMultiDict

from npsbridge.web.write_key import in_the_body, is_known, outside_the_body
from unit.web.calling import basic


def found(authorization: str | None = None, header: str | None = None, **query: str) -> tuple[str, ...]:
    headers = CIMultiDict(
        {name: text for name, text in (("authorization", authorization), ("x-write-key", header)) if text}
    )
    return outside_the_body(headers, query)


@pytest.mark.parametrize(
    ("candidates", "place"),
    [
        (("k",), found(basic("k"))),
        (("k",), found(basic("k", colon=False))),
        (("k",), found(basic("k").replace("Basic", "bAsIc"))),
        (("k",), found(header="k")),
        (("k",), found(header="k:")),
        (("k",), found(writeKey="k")),
        (("k",), found(writekey="k")),
        (("id", "id:secret"), found(basic("id:secret"))),
        (("id:secret",), found(header="id:secret")),
        (("k",), found(basic("k"), "other", writeKey="other")),
        (("k",), found(None, "k", writeKey="other")),
        (("k",), found("Bearer token", "k")),
        ((), found("Bearer token")),
        ((), found(basic(""))),
        ((), found(basic(":password"))),
        ((), found("Basic not base64!")),
        ((), found("Basic " + base64.b64encode(b"\xff\xfe:").decode())),
        ((), found("Basic")),
        ((), found(header=" : ")),
        ((), found()),
        (("k",), in_the_body("k")),
        (("k",), in_the_body("k:")),
        ((), in_the_body("")),
        ((), in_the_body(None)),
    ],
)
def test_the_first_place_that_says_anything_names_the_key(candidates: tuple[str, ...], place: tuple[str, ...]) -> None:
    assert place == candidates


@pytest.mark.parametrize(
    ("candidate", "known"),
    [("a", True), ("b", True), ("A", False), ("", False), ("ab", False), ("\u00e4", False), ("\udc80", False)],
)
def test_f38_only_a_key_of_ours_is_known_and_no_text_confuses(candidate: str, *, known: bool) -> None:
    assert is_known([candidate], ["a", "b"]) is known


def test_no_candidate_is_never_known() -> None:
    assert not is_known([], ["a"])
    assert not is_known(["a"], [])
