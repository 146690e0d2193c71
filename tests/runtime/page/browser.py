"""The system's Chromium, driven by Playwright; no browser is ever downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 120_000  # how fast a page is, is the machine's affair


def chromium_path() -> str | None:
    """Where it is, None where there is none."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Any, address: str, size: tuple[int, int], token: str = "", phone_ratio: int = 1) -> Any:
    """A page in a window of that size; a narrow one is a phone's, with ``phone_ratio`` pixels to one of the page's."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=phone_ratio if width < 600 else 1,
        has_touch=width < 600,
    )
    if token:
        context.add_init_script(f"localStorage.setItem('homing-token', '{token}')")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("#state span.now")
    return page
