"""What the vendor answers when it refuses; the texts are its own where they are known (retently.com/api)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from npsbridge.sandbox.vendor_error import VendorError

BAD_KEY: Final = "Please check your API Key to make sure it's valid."


class ApiError(VendorError):
    """A refusal, ready to be worded.

    Attributes:
        status: The HTTP status; the body repeats it.
        message: The text of the body.
        headers: Further headers.
    """

    def __init__(
        self, status: HTTPStatus, message: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, headers)
        self.message = message or status.phrase

    @property
    def body(self) -> dict[str, Any]:
        """The envelope of an error."""
        return {"message": self.message, "code": int(self.status), "data": None}
