"""What `connect` tells of each platform is about fields, webhooks and events that it has."""

from typing import Any

import pytest

from npsbridge.platforms import BUILT_IN, Platform

pytestmark = pytest.mark.parametrize("platform", BUILT_IN, ids=lambda one: one.name)


def test_every_key_is_asked_for_and_every_field_exists(platform: Platform[Any]) -> None:
    assert platform.guide is not None
    assert set(platform.settings.key_fields) <= platform.guide.asks.keys() <= platform.settings.model_fields.keys()
    assert not platform.guide.optional & set(platform.settings.key_fields)


def test_whoever_sends_webhooks_says_what_to_click(platform: Platform[Any]) -> None:
    assert platform.guide is not None
    assert bool(platform.guide.webhook) is bool(platform.receiver or platform.hook)


def test_whoever_is_told_of_answers_takes_a_test_event(platform: Platform[Any]) -> None:
    assert bool(platform.try_out) is bool(platform.destination)
