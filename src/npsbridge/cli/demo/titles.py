"""Words of the demo: its platforms in the order in which they are shown, by the names that their vendors write."""

from typing import Final

from npsbridge.core.model import State

SURVEY_PLATFORMS: Final = {
    "delighted": "Delighted",
    "retently": "Retently",
    "satismeter": "SatisMeter",
    "promoter": "Promoter.io",
}
SINKS: Final = {"segment": "Segment", "heap": "Heap"}
TITLES: Final = SURVEY_PLATFORMS | SINKS
OWED: Final = frozenset({State.QUEUED, State.WAITING, State.INFLIGHT})
"""The states of a delivery that is still to be made."""
CONNECTED: Final = "connected"
"""How every connection has to be in the end, in the words of the contract."""
