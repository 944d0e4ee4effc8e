"""The list of platforms, and what one record says of each."""

from importlib.metadata import EntryPoint
from typing import Any, cast

import pytest

from npsbridge import platforms
from npsbridge.clock import Clock
from npsbridge.net.client import HttpClient
from npsbridge.platforms import Platform, Wiring, available, settings_classes
from npsbridge.platforms.delighted.settings import DelightedSettings
from npsbridge.platforms.segment import SegmentSettings

OUTSIDE = Platform(name="pigeon", settings=SegmentSettings)
IMPOSTOR = Platform(name="segment", settings=DelightedSettings)


class Entry:
    """An entry point of an installed package."""

    def __init__(self, value: Platform[Any] | Exception) -> None:
        self.value = value

    def load(self) -> Platform[Any]:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def install(monkeypatch: pytest.MonkeyPatch, *values: Platform[Any] | Exception) -> None:
    def entry_points(*, group: str) -> list[EntryPoint]:
        return cast("list[EntryPoint]", [Entry(value) for value in values if group == "npsbridge.platforms"])

    monkeypatch.setattr(platforms, "entry_points", entry_points)


def test_every_platform_is_listed_under_its_own_name() -> None:
    assert {"delighted", "segment"} <= set(available())
    assert all(platform.name == name for name, platform in available().items())


def test_every_platform_brings_its_settings() -> None:
    assert settings_classes()["delighted"] is DelightedSettings
    assert settings_classes()["segment"] is SegmentSettings


def test_an_installed_package_adds_its_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, OUTSIDE)
    assert available()["pigeon"] is OUTSIDE


def test_an_installed_package_cannot_replace_a_built_in_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, IMPOSTOR)
    assert available()["segment"].settings is SegmentSettings


def test_a_broken_platform_is_reported_and_does_not_vanish(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ImportError("pigeon is broken"))
    with pytest.raises(ImportError, match="pigeon is broken"):
        available()


def test_a_setting_is_named_as_the_operator_writes_it() -> None:
    nowhere = cast("HttpClient", None)
    prefix = "NPSBRIDGE_CONNECTIONS__EU__"
    wiring = Wiring(name="eu", settings=DelightedSettings(), http=nowhere, clock=Clock(), prefix=prefix)
    assert wiring.setting("api_key") == "NPSBRIDGE_CONNECTIONS__EU__API_KEY"


def test_delighted_reads_and_listens_and_keeps_to_the_rate_of_its_account() -> None:
    delighted = available()["delighted"]
    assert all([delighted.parse, delighted.source, delighted.receiver, delighted.check])
    assert delighted.requests_per_minute(DelightedSettings(rate_limit=120)) == 120


def test_segment_only_takes() -> None:
    segment = available()["segment"]
    assert (segment.source, segment.receiver, segment.parse) == (None, None, None)
    assert segment.destination is not None
