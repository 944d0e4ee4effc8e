"""For every test of a whole daemon."""

import pytest

from end_to_end.harness import ON_POSTGRES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A database has a clock of its own: what runs in virtual time runs on a file."""
    for item in items:
        if ON_POSTGRES and item.get_closest_marker("looptime"):
            item.add_marker(pytest.mark.skip(reason="in virtual time, which a database does not follow"))
