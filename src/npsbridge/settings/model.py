"""The settings as the rest of the program gets them: complete, checked and frozen.

Must not know where values come from, nor any platform by name.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, SerializeAsAny, field_validator

from npsbridge.settings.platform import Contradiction, PlatformSettings, SettingsGroup
from npsbridge.settings.values import DAY, Address, Duration, ListenAddress, Secret, Secrets, StoreUrl, WebUrl

PREFIX = "NPSBRIDGE_"

EventName = Literal[
    "Submit Survey", "Answered NPS Survey", "Completed NPS Survey", "Closed NPS Survey", "Viewed NPS Survey"
]
LogLevel = Literal["TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"]
LogFormat = Literal["auto", "text", "json"]


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


_SHORTEST_PASSWORD, _SHORTEST_TOKEN = 8, 16


class Admin(SettingsGroup):
    """Who may look at the dashboard and the figures; anybody on this machine when nothing is set."""

    user: str = Field("admin", min_length=1, description="The name that goes with ADMIN__PASSWORD.", examples=["admin"])
    password: SecretStr | None = Field(
        None,
        description="What a browser asks for before it shows the dashboard; at least 8 characters.",
        examples=["a-long-password"],
    )
    token: SecretStr | None = Field(
        None,
        description="What scripts and Prometheus send as Authorization: Bearer; browsers may give it as the password. "
        "At least 16 characters.",
        examples=["a-long-random-token"],
    )

    @property
    def is_protected(self) -> bool:
        """Whether anything has to be shown at the door."""
        return self.password is not None or self.token is not None

    @field_validator("user", mode="after")
    @classmethod
    def _fits_into_a_header(cls, value: str) -> str:
        if ":" in value or not value.isprintable() or value != value.strip():
            raise ValueError("must have no colon, no control characters and no blanks at its ends")
        return value

    @field_validator("password", mode="after")
    @classmethod
    def _long_password(cls, value: SecretStr | None) -> SecretStr | None:
        return _no_shorter_than(_SHORTEST_PASSWORD, value)

    @field_validator("token", mode="after")
    @classmethod
    def _long_token(cls, value: SecretStr | None) -> SecretStr | None:
        return _no_shorter_than(_SHORTEST_TOKEN, value)

    def contradictions(self) -> Iterator[Contradiction]:
        """A user alone protects nothing."""
        if "user" in self.model_fields_set and self.password is None:
            yield Contradiction(fields=("password", "user"), problem="is missing: ADMIN__USER alone protects nothing")


def _no_shorter_than(least: int, secret: SecretStr | None) -> SecretStr | None:
    if secret is not None and len(secret.get_secret_value()) < least:
        raise ValueError(f"must have at least {least} characters")
    return secret


class Ingest(SettingsGroup):
    """Who may send us calls, and how late they may come."""

    write_keys: tuple[Secret, ...] = Field(
        (),
        description="JSON list of keys that SDKs must present; without any the tracking API answers 404.",
        examples=['["key-of-the-web-shop"]'],
    )
    webhook_secret: Secrets = Field(
        (),
        description="Shared secret of Segment's Webhooks destination, or a JSON list of two during a rotation; "
        "without it /hooks/segment answers 404.",
        examples=["the-shared-secret"],
    )
    max_trigger_age: Duration = Field(
        DAY, description="Older track calls never trigger a survey.", examples=["86400", "24h"]
    )


class Events(SettingsGroup):
    """What is said of a response downstream."""

    names: tuple[EventName, ...] = Field(
        ("Submit Survey", "Answered NPS Survey", "Completed NPS Survey", "Closed NPS Survey", "Viewed NPS Survey"),
        description="JSON list of the event names that are emitted.",
        examples=['["Submit Survey"]'],
    )
    on_update: Literal["emit", "traits", "ignore"] = Field(
        "emit",
        description="An edited response: emit a new revision, set the traits only, or ignore it.",
        examples=["emit"],
    )
    settle: Duration = Field(
        0.0, description="How long a response without comment is held back for one to come.", examples=["60"]
    )
    also: tuple[Literal["delighted_source"], ...] = Field(
        (),
        description="JSON list of further event vocabularies: delighted_source emits Survey Question Answered, "
        "as Delighted's own Segment source did.",
        examples=['["delighted_source"]'],
    )


class IdentityRules(SettingsGroup):
    """How people are named downstream."""

    allow_email_user_id: bool = Field(
        False, description="Whether the email is used as userId when nothing better is known.", examples=["true"]
    )


class RetentionTimes(SettingsGroup):
    """How long each thing is kept."""

    journal: Duration = Field(7 * DAY, description="How long what arrived is kept.", examples=["7d"])
    delivered: Duration = Field(7 * DAY, description="How long finished deliveries are kept.", examples=["7d"])
    dead: Duration = Field(30 * DAY, description="How long dead deliveries are kept.", examples=["30d"])
    retry: Duration = Field(7 * DAY, description="How long a delivery is tried before it is dead.", examples=["7d"])


class Connection(BaseModel, frozen=True):
    """One configured account of a platform."""

    name: str
    platform: str
    settings: SerializeAsAny[PlatformSettings]

    @property
    def prefix(self) -> str:
        """What the names of this connection's settings begin with, such as `NPSBRIDGE_DELIGHTED__`."""
        head = self.name if self.name == self.platform else f"connections__{self.name}"
        return f"{PREFIX}{head.upper()}__"


class GeneralSettings(SettingsGroup):
    """The settings that belong to no group."""

    # Not shown with the rest, because it may hold a password.
    store_url: StoreUrl = Field(
        "sqlite:///npsbridge.db",
        description="The store: sqlite:///FILE (in $STATE_DIRECTORY, else in the working directory) or postgresql://...",
        examples=["sqlite:////var/lib/npsbridge/npsbridge.db"],
        repr=False,
    )
    listen: ListenAddress = Field(
        Address("127.0.0.1", 8080), description="Tracking API and webhooks.", examples=["127.0.0.1:8080"]
    )
    admin_listen: ListenAddress = Field(
        Address("127.0.0.1", 8081),
        description="Dashboard, health and metrics; where other machines reach it, ADMIN__PASSWORD or ADMIN__TOKEN "
        "is needed.",
        examples=["127.0.0.1:8081"],
    )
    public_url: WebUrl | None = Field(
        None,
        description="How vendors reach LISTEN from outside, to print the webhook URLs to paste there.",
        examples=["https://nps.example.com"],
    )
    log_level: Annotated[LogLevel, BeforeValidator(_upper)] = Field(
        "INFO", description="TRACE, DEBUG, INFO, SUCCESS, WARNING, ERROR or CRITICAL.", examples=["INFO"]
    )
    log_format: Annotated[LogFormat, BeforeValidator(_lower)] = Field(
        "auto", description="text, json, or auto: text on a terminal, else one JSON object a line.", examples=["json"]
    )
    shutdown_timeout: Duration = Field(
        30.0, description="How long work in flight may take when the daemon is asked to stop.", examples=["30"]
    )
    secrets_dir: Path | None = Field(
        None,
        description="Folder with one file per secret, named like delighted__api_key; "
        "systemd's $CREDENTIALS_DIRECTORY is read without being asked.",
        examples=["/run/secrets"],
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """The two listeners must not meet."""
        if self.listen.overlaps(self.admin_listen):
            problem = "is the same address as LISTEN; the admin listener needs one of its own"
            yield Contradiction(fields=("admin_listen", "listen"), problem=problem, example="127.0.0.1:8081")


class Settings(GeneralSettings):
    """Everything an operator can set."""

    admin: Admin = Admin()
    ingest: Ingest = Ingest()
    events: Events = Events()
    identity: IdentityRules = IdentityRules()
    retention: RetentionTimes = RetentionTimes()
    connections: Mapping[str, Connection] = {}
    """By name."""
    warnings: tuple[str, ...] = ()
    """What the operator should hear of although it can be used."""

    def secrets(self) -> list[str]:
        """Every secret value in these settings, each once, for the log filter."""
        found = [*_secrets_in(self), *_store_passwords(self.store_url)]
        return list(dict.fromkeys(found))


def _secrets_in(value: Any) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case BaseModel():
            for name in type(value).model_fields:
                yield from _secrets_in(getattr(value, name))
        case Mapping():
            for member in value.values():
                yield from _secrets_in(member)
        case tuple() | list() | set() | frozenset():
            for member in value:
                yield from _secrets_in(member)


def _store_passwords(url: str) -> Iterator[str]:
    if url.startswith("sqlite:"):
        return
    parts = urlsplit(url)
    if parts.password:
        yield from (parts.password, unquote(parts.password))
    yield from parse_qs(parts.query).get("password", [])
