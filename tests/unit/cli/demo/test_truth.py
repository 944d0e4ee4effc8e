"""What is so at each vendor is read from its look-alike in the same words."""

from collections.abc import Callable

import pytest

from npsbridge.cli.demo.truth import AnyAccount, closed_at, count_at, given_at, opened_at
from npsbridge.sandbox import DelightedServer, PromoterServer, RetentlyServer, SatisMeterServer

NOW = 1_775_001_600.0
SERVERS: list[Callable[..., AnyAccount]] = [DelightedServer, RetentlyServer, SatisMeterServer, PromoterServer]


@pytest.mark.parametrize("server", SERVERS)
def test_an_answer_is_read_whole(server: Callable[..., AnyAccount]) -> None:
    account = server(now=lambda: NOW)
    number = account.answer("a@example.com", 0, comment="Grüße\n🎉")
    (one,) = given_at(account)
    assert (one.platform, one.id, one.email) == (account.kind, str(number), "a@example.com")
    assert (one.score, one.comment, one.at) == (0, "Grüße\n🎉", NOW)


@pytest.mark.parametrize("server", SERVERS)
def test_an_answer_without_comment_has_none(server: Callable[..., AnyAccount]) -> None:
    account = server(now=lambda: NOW)
    account.answer("a@example.com", 9)
    assert [one.comment for one in given_at(account)] == [None]
    assert count_at(account) == 1


def test_a_survey_that_was_closed_is_no_answer() -> None:
    account = SatisMeterServer(now=lambda: NOW)
    account.dismiss("a@example.com")
    assert (list(given_at(account)), count_at(account), closed_at(account)) == ([], 0, 1)


def test_a_survey_that_was_opened_is_counted_and_one_that_was_only_sent_is_not() -> None:
    account = RetentlyServer(now=lambda: NOW)
    account.send("a@example.com")
    account.open(account.send("b@example.com"))
    assert opened_at(account) == 1
