"""The suite's modules are no test modules, but their asserts should explain themselves all the same."""

import pytest

pytest.register_assert_rewrite("contract.platforms")
