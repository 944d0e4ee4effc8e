"""What the README says about settings, promises and commands is what the program has."""

import re
from pathlib import Path

from npsbridge.platforms import available, settings_classes
from npsbridge.platforms.retently.receiver import TEMPLATE
from npsbridge.settings import describe

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")

NONE = "none"

PROMISES = """\
1. 200 means on disk: a call answered 200 survives SIGKILL at any instant, and power loss as far as the disk keeps its word.
2. Data is delivered at least once, under one deterministic messageId; a survey is requested at most once per trigger; what cannot be known is held and listed.
3. Per person and destination, effects happen in the order accepted. One poison message or one dead vendor never slows another.
4. A checkpoint never passes a response that is not in the outbox. Every revision older than the overlap is emitted exactly once by us.
5. An outage of 72 hours loses nothing and drains within the vendor's rate limit.
6. accepted = delivered + waiting + dead + held + filtered + duplicate + expired + erased, at all times, shown as a metric.
7. No secret in any output; no email or comment at INFO.
"""  # noqa: E501 - word for word


def test_the_promises_stand_word_for_word() -> None:
    assert PROMISES in README


def test_the_settings_table_lists_every_setting_with_its_default() -> None:
    table = README.partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0]
    shown = [line.split(" | ")[:2] for line in table.splitlines() if line.startswith("| `")]
    expected = [
        [f"| `{doc.name.removeprefix('NPSBRIDGE_')}`", NONE if doc.default is None else f"`{doc.default}`"]
        for doc in describe(settings_classes())
    ]
    assert shown == expected


def test_every_setting_named_in_the_text_exists() -> None:
    known = {doc.name for doc in describe(settings_classes())}
    named = set(re.findall(r"NPSBRIDGE_[A-Z_]+[A-Z]", README))
    assert {name for name in named if not name.startswith("NPSBRIDGE_CONNECTIONS__")} <= known


def test_every_platforms_setting_named_in_the_text_exists() -> None:
    known = {doc.name.removeprefix("NPSBRIDGE_") for doc in describe(settings_classes())}
    of_platforms = "|".join(settings_classes()).upper()
    named = set(re.findall(rf"`((?:{of_platforms})__[A-Z_]+)", README))
    assert named
    assert named <= known


def test_the_accounts_of_the_example_have_fields_of_their_platform() -> None:
    fields = dict(re.findall(r"^NPSBRIDGE_CONNECTIONS__EU__(\w+)=(\w*)", README, re.MULTILINE))
    platform = settings_classes()[fields.pop("PLATFORM")]
    assert fields
    assert {field.lower() for field in fields} <= platform.model_fields.keys()


def test_every_platform_with_webhooks_has_the_url_to_paste() -> None:
    urls = {f"PUBLIC_URL/hooks/{name}" for name, platform in available().items() if platform.receiver}
    urls |= {f"PUBLIC_URL/hooks/{name}/TOKEN" for name, platform in available().items() if platform.hook}
    assert urls == set(re.findall(r"\| `(PUBLIC_URL/hooks/[^`]+)` \|", README))


def test_the_body_for_retentlys_webhook_is_the_one_that_check_suggests() -> None:
    assert f"```json\n{TEMPLATE}\n```" in README


def test_every_link_within_the_text_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors


def test_the_two_commands_stand_in_the_first_part() -> None:
    first_part = README.partition("## Set up")[0]
    assert "npsbridge demo" in first_part
    assert "-m pytest" in first_part
