"""npsbridge: NPS answers to Segment, Segment calls to NPS surveys, durably and both ways."""

__version__ = "0.1.0"
