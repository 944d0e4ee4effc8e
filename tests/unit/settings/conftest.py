"""Stand-ins for platforms, shaped as the contract says, and short ways to load settings."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel, Field, SecretStr, field_validator

from npsbridge.errors import ConfigurationError, Fault
from npsbridge.settings import Contradiction, PlatformSettings, Settings, SurveySettings
from npsbridge.settings import load as load_settings


class SurveyRule(BaseModel, extra="forbid", frozen=True):
    """How one event triggers a survey."""

    sample_rate: float = Field(1.0, ge=0, le=1)
    delay: float = Field(0.0, ge=0)
    channel: Literal["email", "sms"] = "email"


class DelightedSettings(SurveySettings):
    """Asks with its key, and signs its webhooks with it."""

    key_fields: ClassVar[tuple[str, ...]] = ("api_key",)

    api_key: SecretStr | None = Field(None, description="Key.")
    base_url: str = Field("https://api.delighted.com/v1", description="Address.")
    webhook_secret: SecretStr | None = Field(None, description="Secret.")
    surveys: dict[str, SurveyRule] = Field({}, description="Surveys.", examples=['{"Order Completed":{}}'])
    poll_interval: float = 60.0
    on_unknown: Literal["verify", "hold", "resend", "drop"] = "verify"

    @field_validator("surveys", mode="before")
    @classmethod
    def _names_alone(cls, value: object) -> object:
        return {str(name): {} for name in value} if isinstance(value, list) else value

    @property
    def authenticates_hooks(self) -> bool:
        return bool(self.webhook_secret or self.api_key)


class SegmentSettings(PlatformSettings):
    """Only takes."""

    key_fields: ClassVar[tuple[str, ...]] = ("write_key",)

    write_key: SecretStr | None = Field(None, description="Key.")
    base_url: str = Field("https://api.segment.io", description="Address.")
    region: Literal["us", "eu"] = Field("us", description="Region.")
    integrations: dict[str, Any] | None = Field(None, description="Copied.")
    rate_limit: float = Field(1000.0, ge=0, description="Events a second.")

    def contradictions(self) -> Iterator[Contradiction]:
        if self.region == "eu" and self.base_url != "https://api.segment.io":
            yield Contradiction(fields=("region", "base_url"), problem="has no meaning beside a BASE_URL")


STAND_INS: Mapping[str, type[PlatformSettings]] = {"delighted": DelightedSettings, "segment": SegmentSettings}


@pytest.fixture(scope="session")
def platforms() -> Mapping[str, type[PlatformSettings]]:
    return STAND_INS


@pytest.fixture(scope="session")
def load() -> Callable[..., Settings]:
    """Settings from variables written without their prefix."""

    def load_with(
        *, env_file: Path | None = None, environ: Mapping[str, str] | None = None, **variables: str
    ) -> Settings:
        named = {f"NPSBRIDGE_{name}": text for name, text in variables.items()}
        return load_settings(STAND_INS, env_file=env_file, environ={**named, **(environ or {})})

    return load_with


@pytest.fixture(scope="session")
def faults(load: Callable[..., Settings]) -> Callable[..., list[Fault]]:
    """What is wrong with variables written without their prefix."""

    def faults_with(**arguments: Any) -> list[Fault]:
        with pytest.raises(ConfigurationError) as caught:
            load(**arguments)
        return list(caught.value.faults)

    return faults_with
