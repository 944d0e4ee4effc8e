"""The configuration: read once, checked as a whole, handed on frozen.

Must not know any platform by name; platforms bring their own settings classes.
"""

from npsbridge.settings.documentation import SettingDoc, describe
from npsbridge.settings.loading import load
from npsbridge.settings.model import (
    PREFIX,
    Admin,
    Connection,
    Events,
    IdentityRules,
    Ingest,
    RetentionTimes,
    Settings,
)
from npsbridge.settings.platform import (
    Contradiction,
    PlatformSettings,
    SettingsGroup,
    SurveySettings,
    TokenHookSettings,
)
from npsbridge.settings.values import Address, Duration, Instant, Name, NoFlag, Secret, Secrets, WebUrl

__all__ = [
    "PREFIX",
    "Address",
    "Admin",
    "Connection",
    "Contradiction",
    "Duration",
    "Events",
    "IdentityRules",
    "Ingest",
    "Instant",
    "Name",
    "NoFlag",
    "PlatformSettings",
    "RetentionTimes",
    "Secret",
    "Secrets",
    "SettingDoc",
    "Settings",
    "SettingsGroup",
    "SurveySettings",
    "TokenHookSettings",
    "WebUrl",
    "describe",
    "load",
]
