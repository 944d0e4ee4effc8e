"""`npsbridge connect`: an account is set up, step by step, and proved as far as it can be.

Ask for what is missing, ask the vendor whether it is good, keep it, say what to click there, and try it out. Nothing
is written before the vendor has said yes.
"""

import asyncio
import itertools
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer

from npsbridge.app.parts import wire
from npsbridge.cli import env_file as env_files
from npsbridge.cli.rehearsal import rehearse
from npsbridge.cli.show import console, print_json, readable
from npsbridge.cli.tryout import newest_answers, send_test_event
from npsbridge.cli.walking import Field, Given, ask, can_ask, fields_of, guide_of, refuse_to_guess
from npsbridge.clock import Clock
from npsbridge.core.ports import Finding
from npsbridge.errors import UsageError, VendorError
from npsbridge.metrics import Metrics
from npsbridge.net.client import open_session
from npsbridge.platforms import Platform, available, settings_classes
from npsbridge.settings import Connection, Settings, load
from npsbridge.settings.accounts import NAMING, is_name
from npsbridge.settings.model import PREFIX
from npsbridge.settings.platform import TokenHookSettings
from npsbridge.settings.sources import merge, read_env_file, read_environment
from npsbridge.telemetry import redact, start_logging

_TRIES: Final = 3
_PUBLIC_URL: Final = f"{PREFIX}PUBLIC_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the operator wants."""

    platform: str
    name: str | None = None
    values: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    public_url: str | None = None
    is_rehearsal: bool = False
    sends_test: bool | None = None
    """None: ask, where somebody is there to answer."""


def connect(env_file: Path | None, wish: Wish, *, as_json: bool) -> int:
    """Walk through it; returns the exit code: 69 when the vendor refuses or the test is not seen.

    Raises:
        UsageError: there is no such platform, or something is missing and nobody is there to be asked.
        ConfigurationError: what there is cannot be used.
        OSError: the env file cannot be written.
    """
    platform = _platform(wish.platform)
    if wish.is_rehearsal:
        return asyncio.run(rehearse(platform, as_json=as_json))
    return _Walk(env_file, platform, wish, as_json=as_json).go()


def _platform(name: str) -> Platform[Any]:
    platforms = available()
    if name.lower() not in platforms:
        raise UsageError(f"there is no platform {name}; there are {', '.join(platforms)}")
    return platforms[name.lower()]


class _Walk:
    """One walk through the set-up of one account."""

    def __init__(self, env_file: Path | None, platform: Platform[Any], wish: Wish, *, as_json: bool) -> None:
        self._file = env_file
        self._platform = platform
        self._wish = wish
        self._as_json = as_json
        self._name = (wish.name or platform.name).lower()
        if not is_name(self._name):
            raise UsageError(f"--name {wish.name}: {NAMING}")
        head = self._name if self._name == platform.name else f"connections__{self._name}"
        self._prefix = f"{PREFIX}{head.upper()}__"
        self._guide = guide_of(platform)
        self._told: dict[str, Any] = {"connection": self._name, "platform": platform.name}
        self._out = console()

    def go(self) -> int:
        """From the first question to the last test; returns the exit code."""
        settings = self._proved()
        is_seen = False
        if settings is not None:
            self._tell_what_to_click(settings)
            is_seen = self._try_out(settings)
        if self._as_json:
            print_json(self._told)
        return 0 if is_seen else VendorError.exit_code

    def _proved(self) -> Settings | None:
        """The settings that the vendor has said yes to, which are kept now; None when it says no, and nothing is."""
        fields = fields_of(self._platform)
        new = self._collected(fields)
        for tries in itertools.count(1):
            settings = self._settings(new)
            if self._is_good(settings):
                self._keep(new)
                return settings
            if tries == _TRIES or not can_ask():
                break
            new |= self._named(ask([one for one in fields if not one.is_optional]))
        return None

    # --- collecting -------------------------------------------------------------------------------------------------

    def _collected(self, fields: Sequence[Field]) -> dict[str, str]:
        """The settings to write, by full name; what stands in the env file already is left there."""
        given = self._named(Given.read(self._platform, self._wish.values, self._wish.files).texts())
        written, around = self._known()
        wanted = [self._setting(one.name) for one in fields]
        new = {name: text for name, text in around.items() if name in wanted} | given
        missing = [one for one in fields if self._setting(one.name) not in {*written, *new}]
        required = [one for one in missing if not one.is_optional]
        if required and not can_ask():
            raise refuse_to_guess(required, self._prefix)
        if missing and can_ask():
            self._say(f"{self._guide.label}:")
            new |= self._named(ask(missing))
        in_order = {name: new[name] for name in [*wanted, *new] if name in new}
        return self._made_up(written | around) | in_order

    def _known(self) -> tuple[dict[str, str], dict[str, str]]:
        """What the env file says, and what the environment does."""
        lines = read_env_file(self._file) if self._file and self._file.exists() else None
        around = read_environment(os.environ)
        return (_texts(lines.variables) if lines else {}), _texts(merge([around]).values())

    def _made_up(self, known: Mapping[str, str]) -> dict[str, str]:
        """What nobody has to be asked for: the platform of a further account, a token, how vendors reach us."""
        made: dict[str, str] = {}
        if self._name != self._platform.name:
            made[f"{self._prefix}PLATFORM"] = self._platform.name
        if issubclass(self._platform.settings, TokenHookSettings) and self._setting("webhook_token") not in known:
            made[self._setting("webhook_token")] = secrets.token_urlsafe(32)
        if self._wish.public_url:
            made[_PUBLIC_URL] = self._wish.public_url
        elif self._takes_webhooks and _PUBLIC_URL not in known and can_ask():
            question = "Address by which vendors reach this machine, such as https://nps.example.com (Enter: none yet)"
            if url := str(typer.prompt(question, default="", show_default=False, err=True)).strip():
                made[_PUBLIC_URL] = url
        return made

    def _setting(self, name: str) -> str:
        return f"{self._prefix}{name.upper()}"

    def _named(self, texts: Mapping[str, str]) -> dict[str, str]:
        return {self._setting(name): text for name, text in texts.items()}

    @property
    def _takes_webhooks(self) -> bool:
        return bool(self._platform.receiver or self._platform.hook)

    # --- proving ----------------------------------------------------------------------------------------------------

    def _settings(self, new: Mapping[str, str]) -> Settings:
        """The whole configuration as it will be."""
        there = self._file if self._file and self._file.exists() else None
        settings = load(settings_classes(), env_file=there, environ={**os.environ, **new})
        start_logging("WARNING", "text", secrets=settings.secrets())
        return settings

    def _is_good(self, settings: Settings) -> bool:
        """Whether the vendor takes the key; says what the vendor said."""
        findings = asyncio.run(_checked(settings.connections[self._name], self._platform))
        self._told["findings"] = [{"good": one.is_good, "text": redact(one.text)} for one in findings]
        marks = {True: "ok", False: "wrong", None: "unknown"}
        for one in findings:
            self._say(f"{marks[one.is_good]:8}{one.text}")
        return all(one.is_good is not False for one in findings)

    # --- keeping ----------------------------------------------------------------------------------------------------

    def _keep(self, new: Mapping[str, str]) -> None:
        """Into the env file; without one the names are told, and of what is secret nothing more."""
        self._told |= {"settings": sorted(new), "env_file": None if self._file is None else str(self._file)}
        if self._file is not None:
            if new:
                env_files.change(self._file, new, heading=f"{self._guide.label}, by npsbridge connect")
            self._say(f"{self._file}: {', '.join(sorted(new)) or 'everything was there already'}")
            return
        self._say("Put these lines into a file for --env-file (with --env-file FILE this is done for you):")
        secret = {self._setting(name) for name in self._secret_fields}
        for name, text in new.items():
            self._say(f"  {name}=<keep it secret>" if name in secret else f"  {env_files.line(name, text).rstrip()}")

    @property
    def _secret_fields(self) -> set[str]:
        return {one.name for one in fields_of(self._platform) if one.is_secret} | {"webhook_token"}

    # --- at the vendor ----------------------------------------------------------------------------------------------

    def _tell_what_to_click(self, settings: Settings) -> None:
        if self._takes_webhooks and settings.connections[self._name].settings.authenticates_hooks:
            self._tell_webhook(settings)
        for text in self._guide.beware:
            self._say(f"Mind: {text}")

    def _tell_webhook(self, settings: Settings) -> None:
        """The URL whole on a terminal only: with a token in it, it is a secret itself."""
        own = settings.connections[self._name].settings
        base = f"{settings.public_url or f'http://{settings.listen}'}/hooks/{self._name}"
        token = own.webhook_token.get_secret_value() if isinstance(own, TokenHookSettings) and own.webhook_token else ""
        masked = f"{base}/<{self._setting('webhook_token')}>" if token else base
        self._told["webhook_url"] = masked
        is_shown = bool(token) and self._file is not None and sys.stdout.isatty() and not self._as_json
        self._say(f"\nFaster than polling: the webhook. At {self._guide.label}, paste this URL:")
        if is_shown:
            self._out.print(f"  {base}/{token}", soft_wrap=True)
        else:
            self._say(f"  {masked}")
        if settings.public_url is None:
            self._say(f"  (of this machine alone: set {_PUBLIC_URL} to the address that vendors can reach)")
        for number, text in enumerate(self._guide.webhook, 1):
            self._say(f"  {number}. {text}")

    # --- trying it out ----------------------------------------------------------------------------------------------

    def _try_out(self, settings: Settings) -> bool:
        """Look at one end and send something to the other; whether all that was tried was seen."""
        platforms, own = available(), settings.connections[self._name]
        self._told["tests"] = []
        seen = True
        if self._platform.source:
            seen = self._tell_test(own, asyncio.run(newest_answers(own, self._platform)))
        ends = (
            [own]
            if self._platform.try_out
            else [one for one in settings.connections.values() if platforms[one.platform].try_out]
        )
        if not ends:
            self._say("There is nowhere to send answers yet: go on with `npsbridge connect segment`, or heap.")
        for end in ends:
            if self._may_send(end):
                seen = self._tell_test(end, asyncio.run(send_test_event(end, platforms[end.platform]))) and seen
        self._say(
            "Next: `npsbridge check` and `npsbridge run`; a running daemon is told by `systemctl reload` (SIGHUP)."
        )
        return seen

    def _may_send(self, end: Connection) -> bool:
        if self._wish.sends_test is None and can_ask():
            return typer.confirm(f"Send a test event to {end.name}?", default=True, err=True)
        return bool(self._wish.sends_test)

    def _tell_test(self, end: Connection, found: Finding) -> bool:
        self._told["tests"].append({"connection": end.name, "seen": found.is_good, "text": redact(found.text)})
        self._say(f"{'seen' if found.is_good else 'NOT SEEN':8}{end.name}: {found.text}")
        return bool(found.is_good)

    def _say(self, text: str) -> None:
        """For people; as JSON it is all told at the end."""
        if not self._as_json:
            self._out.print(readable(redact(text)))


def _texts(variables: Any) -> dict[str, str]:
    return {f"{PREFIX}{one.name.upper()}": one.text for one in variables if one.is_set}


async def _checked(connection: Connection, platform: Platform[Any]) -> list[Finding]:
    if platform.check is None:
        text = f"{platform.name} cannot be asked whether the settings are good"
        return [Finding(subject=connection.name, is_good=None, text=text)]
    async with open_session() as session:
        return await platform.check(wire(connection, platform, session, Metrics(), Clock()))
