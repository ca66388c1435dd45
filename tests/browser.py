"""Debian's Chromium, driven by Selenium, for tests that look at a page as a reader does.

EDGEGREEN_REQUIRE_BROWSER=1 says that it must be there.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SWITCHES = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1280,900",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Chromium with a new profile, light, whose console and requests are kept."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        why = "chromium or chromedriver is not installed (apt: chromium, chromium-driver)"
        if os.environ.get("EDGEGREEN_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{why}, but EDGEGREEN_REQUIRE_BROWSER=1")
        pytest.skip(why)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    made = webdriver.Chrome(options=options, service=Service(driver))
    try:
        made.get("about:blank")
        yield made
    finally:
        made.quit()


def opened(browser: Any, page: Path) -> None:
    """Open a file, having forgotten what came before."""
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(page.as_uri())


def requests(browser: Any) -> set[str]:
    """All addresses that were asked for since the page was opened."""
    told = (json.loads(entry["message"])["message"] for entry in browser.get_log("performance"))
    return {one["params"]["request"]["url"] for one in told if one["method"] == "Network.requestWillBeSent"}


def sized(browser: Any, width: int, *, scheme: str = "light", phone: bool = False) -> None:
    """A window of so many pixels, light or dark."""
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
