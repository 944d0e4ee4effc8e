"""What an operator can set of a Delighted account."""

import base64
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from npsbridge.settings import Duration, Name, NoFlag, SurveySettings


class SurveyRule(BaseModel, extra="forbid", frozen=True):
    """How one event triggers a survey."""

    sample_rate: Annotated[float, NoFlag] = Field(1.0, ge=0, le=1)
    delay: Duration = 0.0
    channel: Literal["email", "sms"] = "email"


class DelightedSettings(SurveySettings):
    """Settings of a Delighted account."""

    key_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: SecretStr | None = Field(None, description="The project's private API key (Delighted: Settings > API).")
    base_url: str = Field("https://api.delighted.com/v1", description="Where Delighted's API is, with its /v1.")
    webhook_secret: SecretStr | None = Field(
        None, description="What Delighted's webhooks are signed with, when it is not the API key."
    )
    surveys: dict[Name, SurveyRule] = Field(
        default_factory=dict,
        description='JSON: event name to {"sample_rate":1.0,"delay":0,"channel":"email"}; a list of names takes these.',
        examples=['{"Order Completed":{"sample_rate":0.5,"delay":"2d"}}'],
    )
    on_unknown: Literal["verify", "hold", "resend", "drop"] = Field(
        "verify",
        description="A survey request whose fate is unknown: verify (ask the vendor), hold, resend or drop.",
        examples=["verify"],
    )

    @field_validator("surveys", mode="before")
    @classmethod
    def _names_alone(cls, value: object) -> object:
        return {name: {} for name in value} if isinstance(value, list) else value

    @property
    def authenticates_hooks(self) -> bool:
        """Delighted signs its webhooks with the API key."""
        return bool(self.webhook_secret or self.api_key)


def authorized(settings: DelightedSettings) -> dict[str, str]:
    """The headers of every request: HTTP Basic, and JSON asked for."""
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    return {"Authorization": _basic(key), "Accept": "application/json"}


def _basic(key: str) -> str:
    """HTTP Basic with the key as user name and a blank password (delighted.com/docs/api)."""
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()
