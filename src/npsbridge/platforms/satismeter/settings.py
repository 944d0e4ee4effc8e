"""What an operator can set of a SatisMeter account."""

import re
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator

from npsbridge.settings import Name, TokenHookSettings

_PROJECT = re.compile(r"[A-Za-z0-9_-]+")


class SatisMeterSettings(TokenHookSettings):
    """Settings of one SatisMeter project: an API key is good for one project only."""

    key_fields: ClassVar[tuple[str, ...]] = ("api_key", "project_id")

    api_key: SecretStr | None = Field(
        None,
        description="The project's API key (SatisMeter: Settings > Integrations > API); not the write key, which looks "
        "the same.",
    )
    project_id: str | None = Field(
        None, description="The project's id, 24 letters and digits.", examples=["5f0000000000000000000001"]
    )
    write_key: SecretStr | None = Field(
        None,
        description="The project's write key; sent along with people and events, for projects that do not take the API "
        "key there. Nothing that is read needs it.",
    )
    base_url: str = Field(
        "https://app.satismeter.com/api", description="Where SatisMeter's API is, without its /v3 and without /v2."
    )
    events: list[Name] = Field(
        default_factory=list,
        description="JSON: names of the events that are passed on as SatisMeter track events.",
        examples=['["Order Completed"]'],
    )
    overlap: float = Field(
        900.0,
        description="How much of the time already read is read again in each round, two pages of it at most; the last "
        "day is read again every hour.",
        examples=["15m"],
    )
    rate_limit: float = Field(
        60.0,
        description="Requests a minute to this account; 0 for no limit. SatisMeter publishes none.",
        examples=["60"],
    )
    on_unknown: Literal["verify", "hold", "resend", "drop"] = Field(
        "hold",
        description="An event whose fate is unknown: hold, resend or drop; SatisMeter cannot be asked, so verify holds "
        "it too.",
        examples=["hold"],
    )

    @field_validator("project_id")
    @classmethod
    def _one_step_of_a_path(cls, value: str | None) -> str | None:
        if value is not None and not _PROJECT.fullmatch(value):
            raise ValueError("must be letters and digits only, as in the address of the project's pages")
        return value
