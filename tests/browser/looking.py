"""A tab that notes what goes wrong in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from unit.web.dashboard.house import House

Scheme = Literal["light", "dark"]
DESK, PHONE = (1280, 800), (360, 740)


@asynccontextmanager
async def tab(
    chromium: Any, house: House, *, scheme: Scheme = "light", size: tuple[int, int] = DESK, has_script: bool = True
) -> AsyncIterator[Any]:
    """A tab of a browser; at its end nothing may have been asked of elsewhere, refused by the policy, or thrown.

    Args:
        chromium: the browser.
        house: the dashboard, which relative addresses are of.
        scheme: light or dark, as the visitor's system is set.
        size: width and height of the window.
        has_script: whether JavaScript runs.
    """
    troubles: list[str] = []
    context = await chromium.new_context(
        base_url=house.origin,
        color_scheme=scheme,
        java_script_enabled=has_script,
        viewport={"width": size[0], "height": size[1]},
    )
    page = await context.new_page()
    page.set_default_timeout(20_000)
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: troubles.append(f"dialog {dialog.message}"))
    page.on("request", lambda one: None if one.url.startswith(house.origin) else troubles.append(f"asked {one.url}"))
    yield page
    await context.close()
    # A page that says 403, 404 or 409 is logged by the browser as an error, and is none.
    assert [one for one in troubles if "status of 40" not in one] == []


async def follow(page: Any, name: str) -> None:
    """Click the first link of a name, and be on the page that it leads to."""
    async with page.expect_navigation():
        await page.get_by_role("link", name=name).first.click()


async def press(page: Any, name: str) -> None:
    """Press a button that sends a form, and be on the page that comes of it."""
    async with page.expect_navigation():
        await page.get_by_role("button", name=name).click()
