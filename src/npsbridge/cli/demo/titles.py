"""The platforms of the demo in the order in which they are shown, by the names that their vendors write."""

from typing import Final

SURVEY_PLATFORMS: Final = {
    "delighted": "Delighted",
    "retently": "Retently",
    "satismeter": "SatisMeter",
    "promoter": "Promoter.io",
}
SINKS: Final = {"segment": "Segment", "heap": "Heap"}
TITLES: Final = SURVEY_PLATFORMS | SINKS
