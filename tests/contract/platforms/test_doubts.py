"""Accounts that behave as the vendors' pages may be read too: nothing is lost, whichever reading is true."""

from typing import Any, ClassVar

from contract.platforms.history import History
from contract.platforms.news import News
from contract.platforms.vendors.delighted import DelightedAccount
from contract.platforms.vendors.promoter import PromoterAccount
from contract.platforms.vendors.retently import RetentlyAccount
from contract.platforms.vendors.satismeter import SatisMeterAccount


class Doubt(History, News):
    """What reading an account owes, without what does not depend on such doubts."""


class Unchanged(DelightedAccount):
    switches: ClassVar[dict[str, Any]] = {"updated_at": "null_until_edited", "updated_since_matches_null": False}


class Shuffled(DelightedAccount):
    switches: ClassVar[dict[str, Any]] = {"tie_order": "shuffled", "updated_since_sorts_by_update": True}


class Unsorted(RetentlyAccount):
    switches: ClassVar[dict[str, Any]] = {"sort": "ignored"}


class Coarse(RetentlyAccount):
    switches: ClassVar[dict[str, Any]] = {
        "precision": "seconds",
        "start_date": "exclusive",
        "tie_order": "shuffled",
        "past_the_end": "not_found",
    }


class Terse(RetentlyAccount):
    page_size = 100
    switches: ClassVar[dict[str, Any]] = {"paging_at": "nowhere", "rows_at": "bare", "short_by": 0}


class Reshaped(RetentlyAccount):
    switches: ClassVar[dict[str, Any]] = {
        "paging_at": "top",
        "rows_at": "top",
        "metrics_type": "upper",
        "missing_comment": "absent",
        "has_outbox": False,
    }


class Counting(SatisMeterAccount):
    switches: ClassVar[dict[str, Any]] = {"cursor": "offset", "tie_order": "shuffled", "last_cursor": "absent"}


class OldestFirst(SatisMeterAccount):
    switches: ClassVar[dict[str, Any]] = {"order": "oldest", "bounds": "exclusive"}


class OldKey(SatisMeterAccount):
    switches: ClassVar[dict[str, Any]] = {"key_generation": "old"}


class VersionOne(PromoterAccount):
    switches: ClassVar[dict[str, Any]] = {"has_v2": False, "v1_campaign": "name", "times": "unpadded"}


class FarEast(PromoterAccount):
    switches: ClassVar[dict[str, Any]] = {"order": "shuffled", "zone_hours": 12, "last_day": "exclusive"}


class FarWest(PromoterAccount):
    switches: ClassVar[dict[str, Any]] = {"order": "newest", "zone_hours": -11, "v2_has_posted_date": False}


class Unfiltered(PromoterAccount):
    switches: ClassVar[dict[str, Any]] = {"filters_work": False}


class TestDelightedThatMayLeaveUpdatedAtOut(Doubt):
    account = Unchanged


class TestDelightedThatShufflesTies(Doubt):
    account = Shuffled


class TestRetentlyThatDoesNotSort(Doubt):
    account = Unsorted


class TestRetentlyThatComparesSeconds(Doubt):
    account = Coarse


class TestRetentlyThatTellsNoTotals(Doubt):
    account = Terse


class TestRetentlyInOtherEnvelopes(Doubt):
    account = Reshaped


class TestSatisMeterWhoseCursorsCount(Doubt):
    account = Counting


class TestSatisMeterThatBeginsWithTheOldest(Doubt):
    account = OldestFirst


class TestSatisMeterWithAnOldKey(Doubt):
    account = OldKey


class TestPromoterOfVersionOne(Doubt):
    account = VersionOne


class TestPromoterInTheFarEast(Doubt):
    account = FarEast


class TestPromoterInTheFarWest(Doubt):
    account = FarWest


class TestPromoterWithoutFilters(Doubt):
    account = Unfiltered
