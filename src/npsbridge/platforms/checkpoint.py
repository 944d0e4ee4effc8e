"""How far a source has read, as it is kept between two rounds."""

from typing import Self

import msgspec


class Checkpoint(msgspec.Struct, omit_defaults=True):
    """What a source has to know to go on; each platform says what that is. What has its usual value is left out."""

    def encode(self) -> bytes:
        """As it is stored."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, stored: bytes) -> Self:
        """The one that was stored.

        Raises:
            msgspec.DecodeError: it is none of this platform.
        """
        return msgspec.json.decode(stored, type=cls)
