"""What is said of tests that run on one engine only is true: each is there, and has a reason."""

import pytest

from stores import HERE, NOT_ON_BOTH, ON_BOTH, runs_on_both


@pytest.mark.parametrize("name", NOT_ON_BOTH)
def test_what_runs_once_is_there_and_would_run_on_both(name: str) -> None:
    file, _, test = name.partition("::")
    path = HERE / file
    assert any(map(path.is_relative_to, ON_BOTH))
    assert path.exists()
    assert not test or any(f"{kind} {test}" in path.read_text(encoding="utf-8") for kind in ("def", "class"))
    assert len(NOT_ON_BOTH[name].split()) > 4


def test_whatever_is_not_named_runs_on_both() -> None:
    assert runs_on_both(HERE / "fault/test_kill.py", "test_any")
    assert runs_on_both(HERE / "contract/platforms/test_vendors.py", "TestDelighted", "test_any")
    assert not runs_on_both(HERE / "contract/platforms/test_vendors.py", "TestPromoter", "test_any")
    assert not runs_on_both(HERE / "fault/simulation/test_simulation.py", "test_any")
    assert not runs_on_both(HERE / "unit/core/test_keys.py", "test_any")
