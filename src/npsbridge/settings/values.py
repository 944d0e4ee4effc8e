"""The kinds of values settings have: how a text becomes a duration, an address, a URL or JSON.

Pure. No text raised here repeats the value it speaks of, because that value may be a secret in the wrong place.
"""

import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

# --- durations and times ----------------------------------------------------------------------------------------

DAY = 86_400.0
_LONGEST = 36_500 * DAY
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": DAY}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")


def no_flag(value: object) -> object:
    """What may be a number: Python would take JSON's true and false for 1 and 0.

    Raises:
        ValueError: it is true or false.
    """
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")  # noqa: TRY004 - pydantic tells of ValueErrors
    return value


NoFlag = BeforeValidator(no_flag)


def parse_duration(value: object) -> object:
    """Seconds from `90`, `90s`, `15m`, `6h` or `30d`; what is no text is left to validation.

    Raises:
        ValueError: the text is no duration, or it is true or false.
    """
    if not isinstance(value, str):
        return no_flag(value)
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("is no duration; write seconds, or a number with s, m, h or d")
    return float(match[1]) * _UNITS[match[2]]


def duration_text(seconds: float) -> str:
    """A duration the way it is written in a settings file: days when they are whole and several, else seconds."""
    if seconds >= 2 * DAY and seconds % DAY == 0:
        return f"{seconds / DAY:.0f}d"
    return f"{seconds:g}" if seconds < 1 else f"{seconds:.3f}".rstrip("0").rstrip(".")


Duration = Annotated[float, BeforeValidator(parse_duration), Field(ge=0, le=_LONGEST, allow_inf_nan=False)]
"""Seconds; written as seconds or as `90s 15m 6h 30d`."""


def parse_instant(value: object) -> object:
    """An aware UTC datetime from an ISO 8601 date or time; a time without a zone is UTC.

    Raises:
        ValueError: the text is no such date or time.
    """
    if not isinstance(value, str):
        return value
    try:
        instant = datetime.fromisoformat(value.strip())
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("is no ISO 8601 date or time") from None


Instant = Annotated[datetime, BeforeValidator(parse_instant)]
"""An aware datetime in UTC."""


# --- addresses to listen on -------------------------------------------------------------------------------------

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 lets the system choose one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def overlaps(self, other: "Address") -> bool:
        """Whether the two cannot be listened on at the same time."""
        if self.port != other.port or self.port == 0:
            return False
        hosts = {self.host.lower(), other.host.lower()}
        return len(hosts) == 1 or not hosts.isdisjoint({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def parse_address(value: object) -> object:
    """An address from `host:port` or `[IPv6]:port`.

    Raises:
        ValueError: the text is no such address.
    """
    if not isinstance(value, str):
        return value
    host, colon, port = value.strip().rpartition(":")
    if not colon or not host:
        raise ValueError("must say host and port; 0.0.0.0 stands for all IPv4 addresses of this machine, [::] for all")
    if not _PORT.fullmatch(port) or int(port) > 65_535:  # noqa: PLR2004 - the highest TCP port
        raise ValueError("must end with a port from 0 to 65535")
    return Address(_host(host), int(port))


def _host(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise ValueError("has no IPv6 address between its brackets") from None
    if ":" in text:
        raise ValueError("needs brackets around an IPv6 address")
    if not _HOST_NAME.fullmatch(text):
        raise ValueError("has no host name or IPv4 address before its port")
    return text


ListenAddress = Annotated[Address, NoDecode, BeforeValidator(parse_address)]


# --- URLs -------------------------------------------------------------------------------------------------------


def split_url(text: str) -> SplitResult:
    """The parts of a URL.

    Raises:
        ValueError: the text is no URL. (What urllib raises would repeat parts of it.)
    """
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("is no URL: write other characters as %XX")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("is no URL") from None
    return parts


def check_web_url(text: str) -> str:
    """An http or https URL without user, query and fragment; a slash at its end is dropped.

    Raises:
        ValueError: the text is something else.
    """
    parts = split_url(text.strip())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be a URL that begins with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user name or password; keys have settings of their own")
    if "?" in text or "#" in text:
        raise ValueError("must end with its path, without ? or #")
    return text.strip().rstrip("/")


WebUrl = Annotated[str, AfterValidator(check_web_url)]
"""An http(s) URL that a path can be appended to."""


def check_store_url(text: str) -> str:
    """A URL of a store: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://...`.

    Raises:
        ValueError: the text is something else.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in {"sqlite", "postgresql"}:
        raise ValueError("must begin with sqlite:/// or postgresql://")
    if scheme == "sqlite":
        return _check_sqlite_path(text, rest)
    # Of several hosts each has to make a URL.
    hosts = rest.partition("?")[0].removeprefix("//").partition("/")[0].rpartition("@")[2]
    databases = {split_url(text.replace(hosts, host, 1)).path.strip("/") for host in hosts.split(",")}
    if not rest.startswith("//") or databases == {""}:
        raise ValueError("must name a host and a database")
    return text


def _check_sqlite_path(text: str, rest: str) -> str:
    path = rest.removeprefix("///")
    if path == rest or not path.strip("/") or path.endswith("/"):
        raise ValueError("must name a file: three slashes before a relative path, four before an absolute one")
    if ":memory:" in path or not path.isprintable() or set(path) & set("?#"):
        raise ValueError("must name a plain file, without ?, # or :memory:")
    return text


StoreUrl = Annotated[str, AfterValidator(check_store_url)]


def check_name(text: str) -> str:
    """The name of an event; nothing that comes in is called by nothing.

    Raises:
        ValueError: it is empty, or blank.
    """
    if not text.strip():
        raise ValueError("must not be an empty name")
    return text


Name = Annotated[str, AfterValidator(check_name)]


# --- secrets and JSON -------------------------------------------------------------------------------------------


def check_secret(secret: SecretStr) -> SecretStr:
    """Refuse what no vendor ever issued and no HTTP header can carry.

    Raises:
        ValueError: the secret is empty, or has blanks at its ends or control characters.
    """
    text = secret.get_secret_value()
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("must not be empty, nor have line breaks, control characters or blanks at its ends")
    return secret


Secret = Annotated[SecretStr, AfterValidator(check_secret)]


def decode_json(text: str) -> Any:
    """Strict JSON: no NaN, no name twice in one object, nothing that is not Unicode.

    Raises:
        ValueError: the text is something else.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_number)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"is no valid JSON from character {error.pos + 1} on") from None
    except RecursionError:
        raise ValueError("is JSON nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError("holds half a Unicode character") from None
    return value


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("is JSON with the same name twice in one object")
    return members


def _number(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:  # Python turns no more than 4,300 digits into a number
        raise ValueError("is JSON with a number of too many digits") from None


def _no_constant(_: str) -> object:
    raise ValueError("is no valid JSON: NaN and Infinity are no numbers there")


def parse_secrets(value: object) -> object:
    """One secret as it stands, or several as a JSON list, as during a rotation.

    Raises:
        ValueError: the text begins like a list and is none.
    """
    if not isinstance(value, str):
        return value
    return decode_json(value) if value.lstrip().startswith("[") else [value]


Secrets = Annotated[tuple[Secret, ...], NoDecode, BeforeValidator(parse_secrets)]
"""One or more secrets that are equally good."""
