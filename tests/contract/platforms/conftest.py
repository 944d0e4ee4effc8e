"""The suite's modules are no test modules, but their asserts should explain themselves all the same."""

from typing import Final

import pytest

pytest.register_assert_rewrite("contract.platforms")

NO_TOTALS: Final = "a list that neither counts its rows nor sorts by a cursor hides that some have vanished"
KNOWN: Final = {
    ("TestRetentlyThatTellsNoTotals", "test_i13_f30_answers_that_vanish"): NO_TOTALS,
}
"""What is not kept yet, by the beginnings of class and test, and why; it shrinks, for what passes fails here."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        kind = getattr(getattr(item, "cls", None), "__name__", "")
        for (class_begins, test_begins), reason in KNOWN.items():
            if kind.startswith(class_begins) and item.name.startswith(test_begins):
                item.add_marker(pytest.mark.xfail(reason=reason, raises=(AssertionError, TimeoutError)))
