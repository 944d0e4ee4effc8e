"""A refusal on its way out of a look-alike's handlers; each vendor adds what its error bodies hold."""

from collections.abc import Mapping
from http import HTTPStatus


class VendorError(Exception):
    """An answer that is an error.

    Attributes:
        status: The HTTP status.
        headers: Further headers.
    """

    def __init__(self, status: HTTPStatus, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        super().__init__(status.phrase)
