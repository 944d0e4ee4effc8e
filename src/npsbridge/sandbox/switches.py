"""What the switches of all look-alikes have in common, and how they are changed by name.

It knows no vendor; what a vendor leaves open is in the vendor's own switches.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec

from npsbridge.core.model import Record
from npsbridge.sandbox.rate import RateLimit
from npsbridge.sandbox.webhooks import WebhookSwitches

SwitchesT = TypeVar("SwitchesT", bound=Record)


class AccountSwitches(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The switches that every survey platform has; a vendor's own ones come on top, and its own defaults."""

    standing: Literal["open", "retired", "unauthorized", "forbidden"] = "open"
    """`retired` answers 410 to everything, the others 401 and 403."""
    rate_limit: RateLimit | None = None
    """Per key."""
    retry_after_header: bool = True
    """Whether a 429 of the rate limit says in a header how long to wait."""
    webhooks: WebhookSwitches = WebhookSwitches()


def changed(switches: SwitchesT, changes: Mapping[str, Any]) -> SwitchesT:
    """The switches with some of them changed, from JSON values or as they are; of a group, only those named.

    Raises:
        ValueError: A switch does not exist or cannot have that value; the text names it.
    """
    plain = msgspec.to_builtins(switches)
    for name, value in msgspec.to_builtins(dict(changes)).items():
        both_are_maps = isinstance(value, dict) and isinstance(plain.get(name), dict)
        plain[name] = {**plain[name], **value} if both_are_maps else value
    try:
        return msgspec.convert(plain, type(switches))
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
