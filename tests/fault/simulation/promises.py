"""How a check fails."""


class BrokenPromise(AssertionError):
    """A promise that did not hold; the text begins with its id."""


def promise(holds: object, text: str) -> None:
    """Raise BrokenPromise unless it holds."""
    if not holds:
        raise BrokenPromise(text)
