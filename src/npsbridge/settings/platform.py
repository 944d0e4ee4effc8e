"""What the settings of every platform have in common; each platform's file adds its own fields to these classes.

Must not know any platform by name, nor where values come from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from npsbridge.settings.values import DAY, Duration, Instant, check_secret, check_web_url, parse_duration

_URL_PART: Final = re.compile(r"[A-Za-z0-9._~-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Settings of one group that do not go together, although each value is good by itself."""

    fields: tuple[str, ...]
    """The names, in the class, of all that take part; it is reported under the first."""
    problem: str
    """What is wrong, without the value."""
    example: str | None = None
    """A value of the first field that would do."""


class SettingsGroup(BaseModel):
    """Settings that belong together; frozen, and silent about its values when something is wrong with them."""

    # Built when it is first used: only a few of the platforms are configured.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True, defer_build=True
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """What does not go together; also asked when other fields are wrong, and then those have their defaults."""
        yield from ()

    @field_validator("*", mode="after")
    @classmethod
    def _usable_secret(cls, value: object) -> object:
        return check_secret(value) if isinstance(value, SecretStr) else value


class PlatformSettings(SettingsGroup):
    """Base of the settings of one account of a platform.

    A field's `description` is its documentation, its first entry in `examples` is shown when its value is wrong.
    Fields of type list, tuple, set, dict or model are written as JSON. Validators raise ValueError without repeating
    the value.
    """

    key_fields: ClassVar[tuple[str, ...]] = ()
    """Fields without which the connection cannot work."""

    @property
    def authenticates_hooks(self) -> bool:
        """Whether webhooks to this connection can prove where they come from."""
        return False

    @property
    def needs_keys(self) -> bool:
        """Whether the connection has anything to do that takes its key fields."""
        return True

    @field_validator("base_url", mode="after", check_fields=False)
    @classmethod
    def _plain_base_url(cls, value: object) -> object:
        return check_web_url(value) if isinstance(value, str) else value


class SurveySettings(PlatformSettings):
    """Settings of an account of a survey platform; subclasses redeclare a field to give it another default."""

    poll_interval: Duration = Field(
        60.0, description="How often new and edited responses are asked for; at least 1 s.", examples=["60"]
    )
    overlap: Duration = Field(
        300.0, description="How much of the time already read is read again in each round.", examples=["5m"]
    )
    rescan: Duration = Field(
        30 * DAY,
        description="How far back edits are looked for where the vendor cannot list what was edited.",
        examples=["30d"],
    )
    rate_limit: float = Field(600.0, description="Requests a minute to this account; 0 for no limit.", examples=["600"])
    backfill: bool = Field(True, description="Whether the history is read on the first start.", examples=["true"])
    backfill_since: Instant | None = Field(
        None,
        description="Read the history from this ISO date or time on (UTC unless it says otherwise); empty: all of it.",
        examples=["2024-01-31"],
    )
    forward: bool = Field(
        True, description="Whether people and survey requests go to this platform.", examples=["true"]
    )
    pull: bool = Field(True, description="Whether responses are read from this platform.", examples=["true"])
    on_unknown: Literal["verify", "hold", "resend", "drop"] = Field(
        "hold",
        description="A survey request whose fate is unknown: verify (ask the vendor), hold, resend or drop.",
        examples=["hold"],
    )

    @property
    def needs_keys(self) -> bool:
        """A connection with both directions switched off needs no key."""
        return self.pull or self.forward

    # These hold for subclasses too, whatever type they redeclare the fields with.

    @field_validator("poll_interval", "overlap", "rescan", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        return parse_duration(value)

    @field_validator("poll_interval", mode="after")
    @classmethod
    def _not_too_often(cls, value: float) -> float:
        if value < 1:
            raise ValueError("must be 1 second or more")
        return value

    @field_validator("overlap", "rescan", "rate_limit", mode="after")
    @classmethod
    def _not_negative(cls, value: float) -> float:
        if value < 0:
            raise ValueError("must be 0 or more")
        return value


class TokenHookSettings(SurveySettings):
    """Base for vendors that sign no webhooks: the last part of the URL is the secret."""

    webhook_token: SecretStr | None = Field(
        None,
        description="Last part of the webhook URL, and its only secret, for the vendor signs nothing; make it long.",
    )

    @field_validator("webhook_token", mode="after")
    @classmethod
    def _fits_into_a_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _URL_PART.fullmatch(value.get_secret_value()):
            raise ValueError("must consist of letters, digits and . _ ~ - because it stands in a URL")
        return value

    @property
    def authenticates_hooks(self) -> bool:
        """The token in the URL is all the proof there is."""
        return self.webhook_token is not None
