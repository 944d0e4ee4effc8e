"""What the accounts at the sandbox's look-alikes share, whichever the vendor."""

from typing import Any, ClassVar

from contract.platforms.account import Account
from npsbridge.sandbox.account_server import SurveyLookAlike


class LookAlikeAccount(Account):
    """An account at a look-alike of `npsbridge.sandbox`."""

    server: SurveyLookAlike[Any, Any, Any]
    switches: ClassVar[dict[str, Any]] = {}
    """What is different from how the look-alike behaves by itself."""

    @property
    def token(self) -> str | None:
        return self.server.webhook_token

    def settings(self) -> dict[str, str]:
        return self.server.environment("")

    def edit(self, number: str, **changes: Any) -> None:
        self.server.edit(number, **changes)

    def limit_rate(self, requests: int) -> None:
        self.server.change_switches({"rate_limit": {"requests": requests}})
