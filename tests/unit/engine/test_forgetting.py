"""Whom an operator may have meant."""

import pytest

from npsbridge.core.people import IdKind, PersonId
from npsbridge.engine.forgetting import ids_of
from npsbridge.errors import UsageError


def test_an_email_may_be_somebodys_user_id_as_well() -> None:
    email = PersonId(IdKind.EMAIL, "ann@example.com")
    assert ids_of("Ann@Example.com") == [email, PersonId(IdKind.USER, "Ann@Example.com")]
    assert ids_of("u1") == [PersonId(IdKind.USER, "u1")]


def test_what_is_no_id_names_nobody() -> None:
    with pytest.raises(UsageError, match="neither an email nor a userId"):
        ids_of(" ")
