"""What was there before we came, when much of it has one and the same moment, as after an import at the vendor."""

from collections.abc import Callable, Sequence

import pytest

from npsbridge.platforms.delighted import place as delighted
from npsbridge.platforms.retently import lists
from npsbridge.platforms.retently import place as retently
from npsbridge.platforms.satismeter import place as satismeter

MANY = 1_000
AT = 1_700_000_000


class Id(str):
    """An id that counts with how many others it is compared."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        Id.compared += 1
        return super().__eq__(other)

    __hash__ = str.__hash__


def of_delighted(known: Sequence[str], given: Sequence[str]) -> list[str]:
    floor = delighted.Floor(changed=AT, ids=list(known))
    rows = [delighted.DatedRow(id=one, at=AT, raw=b"", created=AT, updated=None) for one in given]
    return [row.id for row in floor.keep(rows)]


def of_retently(known: Sequence[str], given: Sequence[str]) -> list[str]:
    floor = retently.Floor(at_ms=AT, ids=list(known))
    return [row.id for row in floor.keep([lists.Row(id=one, at=AT, raw=b"") for one in given])]


def of_satismeter(known: Sequence[str], given: Sequence[str]) -> list[str]:
    floor = satismeter.Floor(created=AT, ids=list(known))
    return [row.id for row in floor.keep([satismeter.Row(id=one, at=AT, raw=b"") for one in given])]


@pytest.mark.parametrize("kept", [of_delighted, of_retently, of_satismeter])
def test_each_row_is_looked_for_once_among_all_that_were_there(
    kept: Callable[[Sequence[str], Sequence[str]], list[str]],
) -> None:
    known = [str(number) for number in range(MANY)]
    Id.compared = 0
    assert kept(known, [*map(Id, known), Id("new")]) == ["new"]
    # One comparison finds it; a few more where digests happen to meet.
    assert Id.compared < 2 * MANY
