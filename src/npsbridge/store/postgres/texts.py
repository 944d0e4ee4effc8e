"""Text that PostgreSQL takes: it is the one database of ours that has no NUL in a text.

Ids of vendors and callers may hold one all the same. U+FDD0 stands for it, a code point that Unicode keeps for such
inner use and that no text means (The Unicode Standard, 23.7, "Noncharacters").
"""

from collections.abc import Iterable
from typing import Final, overload

_NUL: Final = "\0"
_STAND_IN: Final = "\ufdd0"


@overload
def stored(text: str) -> str: ...
@overload
def stored(text: str | None) -> str | None: ...
def stored(text: str | None) -> str | None:
    """The text as a column has it."""
    return text.replace(_NUL, _STAND_IN) if text is not None and _NUL in text else text


@overload
def told(text: str) -> str: ...
@overload
def told(text: str | None) -> str | None: ...
def told(text: str | None) -> str | None:
    """The text that a column stands for."""
    return text.replace(_STAND_IN, _NUL) if text is not None and _STAND_IN in text else text


def column(texts: Iterable[str]) -> list[str]:
    """Texts as a column has them."""
    return [stored(text) for text in texts]
