"""Settings that the first delivery makes unchangeable."""

from collections.abc import Mapping
from typing import cast

import pytest

from npsbridge.app.frozen import frozen_facts, keep_frozen
from npsbridge.core.storage import Store
from npsbridge.errors import ConfigurationError
from npsbridge.platforms import available, settings_classes
from npsbridge.settings import Settings, load
from unit.engine.doubles import NOW, MemoryStore

FACT = "frozen:heap:identity"


def heap(**changes: str) -> Settings:
    environ = {"NPSBRIDGE_HEAP__APP_ID": "123", **{f"NPSBRIDGE_HEAP__{name}": value for name, value in changes.items()}}
    return load(settings_classes(), environ=environ)


def store(facts: Mapping[str, str] | None = None) -> MemoryStore:
    made = MemoryStore()
    made.facts_noted = dict(facts or {})
    return made


async def keep(made: MemoryStore, settings: Settings) -> None:
    await keep_frozen(cast("Store", made), settings)


def test_the_first_delivery_freezes_the_identity() -> None:
    assert frozen_facts(heap().connections["heap"], available()["heap"]) == {FACT: "user_id"}


async def test_before_the_first_delivery_anything_may_change() -> None:
    made = store()
    await keep(made, heap(IDENTITY="email"))
    assert made.facts_noted == {}


async def test_what_is_as_it_was_is_taken() -> None:
    await keep(store({FACT: "email"}), heap(IDENTITY="email"))


async def test_what_has_changed_is_refused_with_the_way_back() -> None:
    way_back = r"NPSBRIDGE_HEAP__IDENTITY: was user_id .* Set it back to user_id"
    with pytest.raises(ConfigurationError, match=way_back) as told:
        await keep(store({FACT: "user_id"}), heap(IDENTITY="email"))
    assert told.value.exit_code == 78


async def test_what_was_delivered_by_an_older_release_is_frozen_as_it_is_now() -> None:
    made = store({"first_delivery_at:heap": str(NOW)})
    await keep(made, heap())
    assert made.facts_noted[FACT] == "user_id"
