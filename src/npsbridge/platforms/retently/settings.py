"""What an operator can set of a Retently account."""

import re
from typing import ClassVar, Final, Literal

from pydantic import Field, SecretStr, field_validator

from npsbridge.settings import SurveySettings

_URL_PART: Final = re.compile(r"[A-Za-z0-9._~-]+")


class RetentlySettings(SurveySettings):
    """Settings of a Retently account."""

    key_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: SecretStr | None = Field(None, description="The account's API key (Retently: Settings > API tokens).")
    base_url: str = Field(
        "https://app.retently.com/api/v2", description="Where Retently's API is, with its /api/v2 at the end."
    )
    webhook_token: SecretStr | None = Field(
        None,
        description="Last part of the webhook URL, and its only secret, for Retently signs nothing; make it long.",
    )
    campaigns: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="JSON: campaign id to a list of event names, or to one comma-separated string of them.",
        examples=['{"66c100000000000000000001":["Order Completed"]}'],
    )
    poll_interval: float = Field(60.0, description="How often new responses are asked for; at least 1 s.")
    overlap: float = Field(
        600.0,
        description="How much of the time already read is read again in each round; at least 10 minutes are.",
        examples=["10m"],
    )
    rate_limit: float = Field(150.0, description="Requests a minute to this account; 0 for no limit.")
    on_unknown: Literal["verify", "hold", "resend", "drop"] = Field(
        "verify",
        description="A survey request whose fate is unknown: verify (ask the vendor), hold, resend or drop.",
        examples=["verify"],
    )

    @field_validator("webhook_token", mode="after")
    @classmethod
    def _fits_into_a_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _URL_PART.fullmatch(value.get_secret_value()):
            raise ValueError("must consist of letters, digits and . _ ~ - because it stands in a URL")
        return value

    @field_validator("campaigns", mode="before")
    @classmethod
    def _names_in_one_string(cls, value: object) -> object:
        """Segment's form for Retently took the names of a campaign as one string with commas."""
        if not isinstance(value, dict):
            return value
        return {campaign: _split(names) if isinstance(names, str) else names for campaign, names in value.items()}

    @field_validator("campaigns", mode="after")
    @classmethod
    def _names_something(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if not all(
            campaign.strip() and names and all(name.strip() for name in names) for campaign, names in value.items()
        ):
            raise ValueError("must name a campaign and at least one event for it, none of them empty")
        return value

    @property
    def authenticates_hooks(self) -> bool:
        """Retently signs nothing; the token in the URL is the proof."""
        return self.webhook_token is not None


def authorized(settings: RetentlySettings) -> dict[str, str]:
    """The headers of every request: the key with Retently's own prefix, which is not Bearer (retently.com/api)."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    return {"Authorization": f"api_key={key}", "Accept": "application/json"}


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]
