"""The page in a real Chromium: what a person sees, does, loses and gets back. One browser, one flight for all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from runtime.geodesy import offset
from runtime.page.server import PageServer
from tests.runtime.page.browser import chromium, chromium_path, opened
from tests.runtime.page.radio import Radio
from tests.runtime.page.served import TOKEN, Served, eventually, page_of, told

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium on this computer (Debian: apt install chromium)"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed (homing[dev])"),
]
DESK, PHONE = (1200, 760), (390, 844)  # no larger than it has to be: every pixel is drawn by the processor


@dataclass(frozen=True)
class Session:
    """A flight, its page, and a browser."""

    flown: Served
    page: PageServer
    browser: Any
    folder: Path

    def open(self, size: tuple[int, int], token: str = TOKEN, address: str | None = None) -> Any:
        return opened(self.browser, address or self.page.address, size, token)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    flown = Served()
    flown.skip(7.0)
    folder = tmp_path_factory.mktemp("page")
    with page_of(flown, folder) as page, chromium() as browser:
        yield Session(flown, page, browser, folder)


def state(tab: Any, name: str) -> None:
    """Waits until the page shows that state."""
    tab.wait_for_selector(f"#state .now.{name}")


def test_a_stranger_reads_why_it_does_not_fly_and_can_press_nothing(session: Session) -> None:
    tab = session.open(PHONE, token="")
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    assert tab.inner_text("#answer-title") == "MONITOR"
    assert "There is nothing to fly to." in tab.inner_text("#reason-no_target")
    assert tab.inner_text("#reasons li >> nth=-1").startswith("The vehicle is in another mode")  # the pilot comes last
    eventually(lambda: tab.evaluate("document.querySelector('#live').naturalWidth") == 64)
    assert tab.is_disabled("#engage") and tab.is_disabled("#disengage")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing sticks out of a phone
    tab.fill("#token", "wrong, and long enough")
    tab.click("#token-form button >> nth=0")
    tab.wait_for_selector("#control-answer:has-text('token is missing or wrong')")
    assert tab.is_disabled("#engage")
    tab.context.close()
    assert [error for error in errors if "401" not in error] == []


def test_the_map_is_moved_and_zoomed(session: Session) -> None:
    tab = session.open(DESK, token="")
    canvas = tab.locator("#map-canvas")
    tab.wait_for_selector("#map-canvas[data-scale]")

    def shown() -> tuple[float, str]:
        tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return float(canvas.get_attribute("data-scale")), canvas.get_attribute("data-middle")

    scale, middle = shown()
    tab.click("#map-in")
    assert shown()[0] == pytest.approx(1.6 * scale)
    box = canvas.bounding_box()
    tab.mouse.move(box["x"] + 200, box["y"] + 200)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 300, box["y"] + 260, steps=4)
    tab.mouse.up()
    north, east = map(float, shown()[1].split(","))
    assert tab.get_attribute("#map-follow", "aria-pressed") == "false"
    north_before, east_before = map(float, middle.split(","))
    assert (north - north_before, east - east_before) == pytest.approx((60 / scale / 1.6, -100 / scale / 1.6), abs=3.0)
    tab.mouse.wheel(0, 400)
    assert eventually(lambda: shown()[0] < scale)
    tab.context.close()


def test_a_target_is_uploaded_chosen_confirmed_and_consented_to(session: Session) -> None:
    session.flown.places.knows(offset(session.flown.here, 60.0, 10.0))
    path = session.folder / "barn.png"
    cv2.imwrite(str(path), np.random.default_rng(2).integers(0, 255, (120, 120, 3), dtype=np.uint8))
    tab = session.open(DESK)
    for name in ("barn.png", "mill.png"):
        path = path.rename(path.with_name(name))
        tab.set_input_files("#upload-file", path)
        tab.fill("#upload-gsd", "0,3")
        tab.click("#upload-form button")
        tab.wait_for_selector(f"article:has-text('{name}') b.good")
    assert tab.locator("#target-cards article").count() == 2  # side by side
    tab.click("article.waits button:has-text('Choose this place') >> nth=0")
    tab.wait_for_selector("article.waits h3:has-text('22.2')")  # a place, which is no upload's name
    tab.click("#confirm:enabled")
    tab.wait_for_selector("#control-answer:has-text('Confirmed')")
    tab.click("#engage")
    tab.click("#engage-dialog button[value=no]")
    tab.wait_for_timeout(700)
    assert tab.locator("#state .now.monitor").count() == 1  # no is no
    tab.click("#engage")
    tab.click("#engage-dialog button[value=yes]")
    state(tab, "ready")
    assert "left for the pilot's switch" in tab.inner_text("#countdowns")
    assert tab.inner_text("#reasons-title") == "What it waits for"
    tab.click("#disengage")
    state(tab, "monitor")
    tab.context.close()


def test_a_phone_in_flight_loses_the_page_and_gets_it_back(session: Session) -> None:
    flown = session.flown
    place = offset(flown.here, 80.0, 0.0)
    at = {"latitude_deg": place.latitude_deg, "longitude_deg": place.longitude_deg}
    _, found = told(session.page, {"command": "target", **at})
    told(session.page, {"command": "confirm", "target_id": found["target_id"]})
    told(session.page, {"command": "engage"})
    radio = Radio(session.page.address)
    tab = session.open(PHONE, address=radio.address)
    state(tab, "ready")
    flown.autopilot.pilot_set_mode("GUIDED")
    state(tab, "engaged")
    assert not tab.is_visible("#alarm")

    radio.go_down()
    tab.wait_for_selector("#alarm:has-text('CONNECTION LOST, last seen')")
    assert tab.evaluate("getComputedStyle(document.querySelector('#alarm')).backgroundColor") == "rgb(168, 0, 15)"
    assert tab.title() == "Homing: NOT LIVE" and tab.is_disabled("#engage")
    assert tab.is_enabled("#disengage")  # the one that ends something may always be tried
    radio.come_up()
    tab.wait_for_selector("#alarm", state="hidden")
    state(tab, "engaged")
    tab.click("#disengage")
    state(tab, "yielded")
    tab.context.close()
    radio.close()


def test_a_daemon_that_stands_still_is_never_shown_as_live(session: Session) -> None:
    tab = session.open(DESK)
    session.flown.flying = False
    tab.wait_for_selector("#alarm:has-text('THE DAEMON IS SILENT, last seen')")
    for part in ("#answer", "#numbers", "#events", "#map"):  # hatched, not only said to be old
        assert "gradient" in tab.evaluate(f"getComputedStyle(document.querySelector('{part}')).backgroundImage")
    assert "grayscale" in tab.evaluate("getComputedStyle(document.querySelector('#state')).filter")
    session.flown.flying = True
    tab.wait_for_selector("#alarm", state="hidden")
    tab.context.close()
