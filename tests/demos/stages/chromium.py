"""Headless Chromium as a person's hand: pages of demos opened, gizmos and sliders dragged, pictures taken."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--window-size=1120,760",
)


@contextmanager
def chromium() -> Iterator[Any]:
    """A driver of headless Chromium; the test is skipped where there is none."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("Chromium is not installed (Debian: chromium, chromium-driver): the browser stage was not tested")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in FLAGS:
        options.add_argument(flag)
    page = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield page
    finally:
        page.quit()


def wait_for(what: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What the function gives once that is true; fails if it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    pytest.fail(f"waited {seconds:g} s in vain for {what}")


def open_page(page: Any, url: str, server: Any) -> Any:
    """Open a demo and wait until its camera has answered; viser's handle of the page."""
    before = set(server.get_clients())
    page.get(url)
    client = wait_for(lambda: next((c for key, c in server.get_clients().items() if key not in before), None))
    wait_for(lambda: client.camera.update_timestamp > 0.0)
    wait_for(lambda: page.find_elements("css selector", "canvas"))
    time.sleep(1.0)  # the first picture
    dismiss_notices(page)
    return client


def dismiss_notices(page: Any) -> None:
    """Close what viser says about software rendering."""
    for button in page.find_elements("css selector", ".mantine-Notification-closeButton"):
        button.click()
        time.sleep(0.3)


def on_screen(page: Any, client: Any, point: Sequence[float]) -> tuple[int, int]:
    """Where a point of the scene is on the page [pixels], from where the camera says that it is."""
    camera = client.camera
    w, x, y, z = camera.wxyz
    turn = np.array(  # columns: the camera's right, down and forward in the scene
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
    seen = turn.T @ (np.asarray(point) - camera.position)
    script = "const r = document.querySelector('canvas').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]"
    left, top, width, height = page.execute_script(script)
    focal = 0.5 * height / np.tan(0.5 * camera.fov)
    across, down = focal * seen[:2] / seen[2]
    return round(left + 0.5 * width + across), round(top + 0.5 * height + down)


def drag(page: Any, start: tuple[int, int], end: tuple[int, int], moves: int = 12) -> None:
    """Press the mouse at one place, move it to the other in steps, let go."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    actions = ActionBuilder(page, duration=30)
    pointer = actions.pointer_action
    pointer.move_to_location(start[0] - 2, start[1])
    pointer.move_to_location(*start).pause(0.6)  # so that it is hovered before it is pressed
    pointer.pointer_down().pause(0.1)
    for k in range(1, moves + 1):
        share = k / moves
        pointer.move_to_location(*(round(a + share * (b - a)) for a, b in zip(start, end))).pause(0.03)
    pointer.pause(0.2).pointer_up()
    actions.perform()


def picture(page: Any, path: Path) -> np.ndarray:
    """Save what the page shows, and give it, (height, width, 3)."""
    from PIL import Image

    page.save_screenshot(str(path))
    return np.asarray(Image.open(path).convert("RGB"))
