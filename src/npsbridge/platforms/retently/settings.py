"""What an operator can set of a Retently account."""

from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from npsbridge.settings import TokenHookSettings


class RetentlySettings(TokenHookSettings):
    """Settings of a Retently account."""

    key_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: SecretStr | None = Field(None, description="The account's API key (Retently: Settings > API tokens).")
    base_url: str = Field(
        "https://app.retently.com/api/v2", description="Where Retently's API is, with its /api/v2 at the end."
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


def authorized(settings: RetentlySettings) -> dict[str, str]:
    """The headers of every request: the key with Retently's own prefix, which is not Bearer (retently.com/api)."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    return {"Authorization": f"api_key={key}", "Accept": "application/json"}


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",") if name.strip()]
