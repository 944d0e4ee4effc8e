"""Errors as both listeners say them: JSON that every SDK of Segment understands, and never a traceback."""

from aiohttp import web
from aiohttp.typedefs import Handler
from loguru import logger

from npsbridge.errors import BadRecord, StoreError

RETRY_AFTER = "10"
"""Seconds a caller is asked to wait when the trouble is ours."""


class Refused(Exception):
    """A request that is turned away: its status, a word for machines, and why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        super().__init__(message)


def refusal(status: int, code: str, message: str) -> web.Response:
    """An error; without code and message some SDKs retry for ever."""
    headers = {"Retry-After": RETRY_AFTER} if status in (429, 503) else {}
    body = {"success": False, "code": code, "message": message, "error": message}
    return web.json_response(body, status=status, headers=headers)


@web.middleware
async def refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Put every error of a handler into words; trouble of our own is 5xx, so that callers come again."""
    try:
        return await handler(request)
    except ConnectionError:
        raise  # the caller has gone: there is nobody to tell
    except web.HTTPException as error:
        return _of_http(error)
    except BadRecord as error:
        return refusal(400, "invalid_request", str(error))
    except web.RequestPayloadError:
        return refusal(400, "invalid_request", "the body cannot be read")
    except (StoreError, TimeoutError):
        return refusal(503, "cannot_store", "the store does not answer or has no room; try again")
    except Exception:  # noqa: BLE001 - a mistake of ours; the caller must get an answer that makes it come again
        logger.bind(path=request.rel_url.path).exception("A request failed unexpectedly")
        return refusal(500, "internal_error", "npsbridge failed; try again")


def _of_http(error: web.HTTPException) -> web.Response:
    answer = refusal(error.status, error.reason.lower().replace(" ", "_"), error.reason)
    for name in ("Allow", "WWW-Authenticate"):
        if name in error.headers:
            answer.headers[name] = error.headers[name]
    return answer
