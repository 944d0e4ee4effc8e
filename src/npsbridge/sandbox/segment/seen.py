"""Which messageIds were seen lately: across all write keys and whatever the content, as Segment does it.

Pure; times are handed in. Source: segment.com/docs/guides/duplicate-data.
"""

from collections import OrderedDict


class SeenMessages:
    """MessageIds with the time they were first seen, oldest first."""

    def __init__(self) -> None:
        self._first_seen: OrderedDict[str, float] = OrderedDict()

    def is_known(self, message_id: str, now: float, remembered_seconds: float | None) -> bool:
        """Whether the id was seen within the window; if not, it is from now on.

        Args:
            message_id: What was sent.
            now: Seconds since 1970.
            remembered_seconds: The window; None remembers nothing.
        """
        if remembered_seconds is None:
            return False
        self._forget_before(now - remembered_seconds)
        if message_id in self._first_seen:
            return True
        self._first_seen[message_id] = now
        return False

    def _forget_before(self, moment: float) -> None:
        while self._first_seen and next(iter(self._first_seen.values())) < moment:
            self._first_seen.popitem(last=False)
