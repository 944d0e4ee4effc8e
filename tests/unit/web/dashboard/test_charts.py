"""Charts leave nothing behind in the process that draws them."""

import importlib.util
import sys

from npsbridge.web.dashboard.charts import distribution


def test_a_chart_changes_nothing_about_how_the_process_imports() -> None:
    assert "<svg" in distribution([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).wide
    assert all(hasattr(finder, "find_spec") for finder in sys.meta_path)
    assert importlib.util.find_spec("no_such_module") is None
