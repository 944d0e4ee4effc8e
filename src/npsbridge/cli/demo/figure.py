"""One thing that can be counted at both ends of the demo. Pure."""

from collections.abc import Iterable

from npsbridge.core.model import Record


class Figure(Record, frozen=True, kw_only=True):
    """One thing that can be counted at both ends."""

    name: str
    true: str
    told: str

    @property
    def agrees(self) -> bool:
        """Whether both ends say the same."""
        return self.true == self.told


def counted(name: str, true: int, told: int) -> Figure:
    """A figure of two numbers."""
    return Figure(name=name, true=f"{true:,}", told=f"{told:,}")


def disagreements(found: Iterable[Figure]) -> list[str]:
    """What does not agree, in words."""
    return [f"{one.name}: {one.true} is true, {one.told} was told" for one in found if not one.agrees]
