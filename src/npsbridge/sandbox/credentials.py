"""How callers say who they are, where several vendors take it the same way."""

import base64
import binascii

from aiohttp import web


def scheme_and_credentials(request: web.Request) -> tuple[str, str]:
    """The two parts of `Authorization`, the scheme in lower case; empty where there is none."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower(), credentials.strip()


def basic_user(request: web.Request) -> str | None:
    """The user name of Basic authentication, with or without the colon behind it.

    Ruby, Node, PHP and curl send the colon; Delighted's Python client and RudderStack send the bare key (see their
    sources).
    """
    scheme, credentials = scheme_and_credentials(request)
    if scheme != "basic":
        return None
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None
