"""A missing client is a skip for most, and a failure where every test is required."""

import pytest

from clients.conftest import imported, require_or_skip


def test_a_client_that_is_not_installed_skips_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUIRE_ALL_TESTS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no_such_client"):
        require_or_skip("no_such_client")


def test_a_client_that_is_not_installed_fails_the_test_where_all_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE_ALL_TESTS", "1")
    with pytest.raises(pytest.fail.Exception, match="no_such_client"):
        require_or_skip("no_such_client")


def test_an_installed_client_is_imported() -> None:
    assert imported("orjson").dumps(1) == b"1"
