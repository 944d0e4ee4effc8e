"""Signed webhooks."""

import hashlib
import hmac
from typing import Any, cast

import pytest
from pydantic import SecretStr

from npsbridge.clock import Clock
from npsbridge.errors import BadRecord
from npsbridge.net.client import HttpClient
from npsbridge.platforms import Wiring
from npsbridge.platforms.delighted.receiver import SIGNATURE, DelightedReceiver
from npsbridge.platforms.delighted.settings import DelightedSettings

KEY = "test_api_key_123"
BODY = b'{"event_type":"survey_response.updated","event_id":"e1","event_data":{"id":"9001"}}'
HEX = "ec94613199afee13a34bf71be805ec548a5f049cc3e80dd4ee55f7c11bbea76e"


def receiver(**secrets: str) -> DelightedReceiver:
    given: dict[str, Any] = {name: SecretStr(secret) for name, secret in (secrets or {"api_key": KEY}).items()}
    nowhere = cast("HttpClient", None)
    settings = DelightedSettings(**given)
    return DelightedReceiver(Wiring(name="shop", settings=settings, http=nowhere, clock=Clock(), prefix=""))


def is_authentic(given: str, body: bytes = BODY) -> bool:
    return receiver().authentic({SIGNATURE: given}, body)


@pytest.mark.parametrize("given", [f"sha256={HEX}", HEX, HEX.upper(), f"SHA256={HEX.upper()}"])
def test_f38_the_vendors_signature_is_known_in_every_spelling(given: str) -> None:
    assert is_authentic(given)


@pytest.mark.parametrize(
    "given",
    [
        "",
        " ",
        "sha256=",
        HEX[:-1],
        HEX + "0",
        f"sha256={HEX} ",
        f"sha256=sha256={HEX}",
        f"sha1={HEX}",
        f"sha256={HEX}, sha256={HEX}",
        f"sha256={HEX}, ",
        "sha256=ü",
        "\udcff\udcfe",
        "\ud83d",
    ],
)
def test_f38_no_other_signature_is_accepted(given: str) -> None:
    assert not is_authentic(given)


@pytest.mark.parametrize("digit", range(0, 64, 7))
def test_f38_a_signature_with_one_flipped_bit_is_refused(digit: int) -> None:
    flipped = f"{int(HEX[digit], 16) ^ 1:x}"
    assert not is_authentic(f"sha256={HEX[:digit]}{flipped}{HEX[digit + 1 :]}")


def test_f38_a_missing_signature_is_refused() -> None:
    assert not receiver().authentic({}, BODY)


@pytest.mark.parametrize("body", [BODY + b" ", b" " + BODY, BODY.replace(b":", b": ", 1), BODY[:-1], b""])
def test_f38_a_changed_body_is_refused(body: bytes) -> None:
    assert not is_authentic(f"sha256={HEX}", body)


def test_a_webhook_secret_takes_the_place_of_the_key() -> None:
    secret = hmac.new(b"hook-secret", BODY, hashlib.sha256).hexdigest()
    guarded = receiver(api_key=KEY, webhook_secret="hook-secret")
    assert guarded.authentic({SIGNATURE: secret}, BODY)
    assert not guarded.authentic({SIGNATURE: HEX}, BODY)


def test_without_any_secret_nothing_is_authentic() -> None:
    unsigned = hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    without = DelightedReceiver(
        Wiring(name="shop", settings=DelightedSettings(), http=cast("HttpClient", None), clock=Clock(), prefix="")
    )
    assert not without.authentic({SIGNATURE: unsigned}, BODY)


@pytest.mark.parametrize("event_type", ["survey_response.created", "survey_response.updated", "survey_response.new"])
def test_a_response_is_handed_on_as_it_stands(event_type: str) -> None:
    raw = b'{"event_data": {"id": "9001",  "score": 9.0} ,"event_type":"%b"}' % event_type.encode()
    assert receiver().records(raw) == [b'{"id": "9001",  "score": 9.0}']


@pytest.mark.parametrize("event_type", ["unsubscribe.created", "survey_response", "ping", "Survey_response.created"])
def test_other_news_carries_no_records(event_type: str) -> None:
    assert receiver().records(b'{"event_type":"%b","event_data":{}}' % event_type.encode()) == []


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b"", ""),
        (b"null", ""),
        (b"[]", ""),
        (b"<html>", ""),
        (BODY[:-1], ""),
        (b"{}", "/event_type"),
        (b'{"event_type":7}', "/event_type"),
        (b'{"event_type":"survey_response.created"}', "/event_data"),
        (b'{"event_type":"survey_response.created","event_data":null}', "/event_data"),
        (b'{"event_type":"survey_response.created","event_data":[{}]}', "/event_data"),
    ],
)
def test_f37_a_malformed_body_is_refused_with_its_place(raw: bytes, pointer: str) -> None:
    with pytest.raises(BadRecord) as caught:
        receiver().records(raw)
    assert caught.value.pointer == pointer
