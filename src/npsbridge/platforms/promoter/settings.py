"""What an operator can set of a Promoter.io account."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from npsbridge.settings import Contradiction, Duration, Name, NoFlag, TokenHookSettings


class SurveyTrigger(BaseModel, extra="forbid", frozen=True):
    """An event that asks for a survey."""

    event: Name
    campaign_id: Annotated[int | None, NoFlag] = Field(None, gt=0)
    """The campaign whose survey it is; None for that of the account's settings."""


class PromoterSettings(TokenHookSettings):
    """Settings of a Promoter.io account."""

    key_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: SecretStr | None = Field(None, description="The account's API key (Promoter.io: account settings, API).")
    campaign_id: int | None = Field(
        None, gt=0, description="The campaign whose survey the events in SURVEYS trigger.", examples=["78"]
    )
    list_id: int | None = Field(
        None, gt=0, description="The contact list that new people join; empty: the account's own.", examples=["599"]
    )
    base_url: str = Field("https://app.promoter.io/api", description="Where Promoter.io's API is, without its /v2.")
    surveys: list[SurveyTrigger] = Field(
        default_factory=list,
        description='JSON list of event names that trigger a survey; {"event":"...","campaign_id":79} names another '
        "campaign.",
        examples=['["Order Completed",{"event":"Trial Ended","campaign_id":79}]'],
    )
    poll_interval: Duration = Field(120.0)
    overlap: Duration = Field(
        172_800.0,
        description="How much of the time already read is read again in each round, in whole days and never less than "
        "two: the API filters by days of an unknown zone.",
        examples=["2d"],
    )
    rate_limit: float = Field(
        30.0,
        description="Requests a minute to this account; 0 for no limit. Promoter.io shows yours beside the API key.",
        examples=["30"],
    )
    on_unknown: Literal["verify", "hold", "resend", "drop"] = Field(
        "verify",
        description="A survey request whose fate is unknown: verify (look for its answer, else ask once more within "
        "the 24 hours in which Promoter.io surveys nobody twice), hold, resend or drop.",
        examples=["verify"],
    )

    @field_validator("surveys", mode="before")
    @classmethod
    def _short_forms(cls, value: object) -> object:
        """A name alone; or one object with the campaign of each event."""
        match value:
            case dict():
                return [{"event": event, "campaign_id": campaign} for event, campaign in value.items()]
            case list():
                return [{"event": item} if isinstance(item, str) else item for item in value]
            case _:
                return value

    @field_validator("surveys", mode="after")
    @classmethod
    def _each_once(cls, value: list[SurveyTrigger]) -> list[SurveyTrigger]:
        if len({trigger.event for trigger in value}) < len(value):
            raise ValueError("must not name an event twice")
        return value

    def contradictions(self) -> Iterator[Contradiction]:
        """A survey needs a campaign."""
        if self.campaign_id is None and any(trigger.campaign_id is None for trigger in self.surveys):
            yield Contradiction(
                fields=("campaign_id", "surveys"),
                problem="must be set, because an event in SURVEYS names no campaign of its own",
                example="78",
            )


def authorized(settings: PromoterSettings) -> dict[str, str]:
    """The headers of every request: the literal word Token, a space, the key (developers.promoter.io/reference)."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    return {"Authorization": f"Token {key}", "Accept": "application/json"}
