"""What every part of the suite begins with."""

from typing import ClassVar

import pytest

from contract.platforms.account import Account


class Contract:
    """Tests of one platform; subclasses name it."""

    pytestmark = pytest.mark.looptime(noop_cycles=8)
    account: ClassVar[type[Account]]
