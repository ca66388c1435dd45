"""The HTML report in Debian's Chromium: it draws without an error or a request, and does what it offers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import opened, requests, sized

from report.pages import against_another, many, page

pytestmark = [pytest.mark.slow, pytest.mark.browser]
OPENS_IN_S = 2.0


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _written(tmp_path_factory.mktemp("report") / "twelve.html", 12)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, of = tmp_path_factory.mktemp("compared") / "compared.html", many(12)
    path.write_text(page(of, found=against_another(of)), "utf-8")
    return path


def _written(path: Path, n: int) -> Path:
    path.write_text(page(many(n)), "utf-8")
    return path


def _clean(browser: Any, path: Path) -> None:
    assert browser.execute_script("return document.documentElement.dataset.ready") == "true"
    assert browser.get_log("browser") == []
    assert {url for url in requests(browser) if not url.startswith("data:")} == {path.as_uri()}
    assert browser.title != "broken"


def _soon(condition: Callable[[], Any]) -> Any:
    """What it comes to, as soon as it is true; after five seconds, however it is."""
    until = time.monotonic() + 5
    while not (found := condition()) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _column(browser: Any, heading: str, table: str = "rows") -> list[str]:
    script = """
        const table = document.getElementById(arguments[1]), heads = [...table.tHead.rows[0].cells];
        const at = heads.findIndex((one) => one.textContent === arguments[0]);
        return [...table.tBodies[0].rows].map((row) => row.cells[at].dataset.v);"""
    found: list[str] = browser.execute_script(script, heading, table)
    return found


def _press(browser: Any, heading: str, table: str = "rows") -> str:
    script = """
        const heads = [...document.getElementById(arguments[1]).tHead.rows[0].cells];
        const head = heads.find((one) => one.textContent === arguments[0]);
        head.querySelector('button').click();
        return head.getAttribute('aria-sort');"""
    return str(browser.execute_script(script, heading, table))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_draws_everything_and_asks_for_nothing(browser: Any, twelve: Path, scheme: str) -> None:
    sized(browser, 1280, scheme=scheme)
    opened(browser, twelve)
    _clean(browser, twelve)
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].map((one) => one.querySelectorAll('path').length)"
    )
    assert len(drawn) == 8
    assert min(drawn) > 5


def test_headings_sort_by_value_and_back(browser: Any, twelve: Path) -> None:
    sized(browser, 1280)
    opened(browser, twelve)
    before = [float(value) for value in _column(browser, "p50 ms")]
    assert before != sorted(before)
    assert _press(browser, "p50 ms") == "ascending"
    assert [float(value) for value in _column(browser, "p50 ms")] == sorted(before)
    assert _press(browser, "p50 ms") == "descending"
    assert [float(value) for value in _column(browser, "p50 ms")] == sorted(before, reverse=True)
    assert _press(browser, "Variant") == "ascending"
    _clean(browser, twelve)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_comparison_sorts_by_itself_and_leads_to_conditions(
    browser: Any, compared: Path, scheme: str
) -> None:
    sized(browser, 1280, scheme=scheme)
    opened(browser, compared)
    heading, results = "p50, now / before", _column(browser, "p50 ms")
    before = [float(value) for value in _column(browser, heading, "compared") if value]
    assert before != sorted(before)
    assert _press(browser, heading, "compared") == "ascending"
    *ratios, absent = _column(browser, heading, "compared")
    assert (list(map(float, ratios)), absent) == (sorted(before), "")  # one could not be compared
    assert _press(browser, heading, "compared") == "descending"
    assert _column(browser, heading, "compared")[-1] == ""
    assert _column(browser, "p50 ms") == results
    script = """
        document.querySelector('#compared tbody a').click();
        return location.hash;"""
    hash_ = browser.execute_script(script)
    assert _soon(lambda: browser.find_element("id", hash_[1:]).get_attribute("open"))
    _clean(browser, compared)


def test_a_phone_scrolls_the_comparison_and_not_the_page(browser: Any, compared: Path) -> None:
    sized(browser, 390, phone=True)
    opened(browser, compared)
    script = """
        const table = document.querySelector('#changes .scroll');
        return [document.documentElement.scrollWidth, table.scrollWidth];"""
    width, table = browser.execute_script(script)
    assert width == 390 < table
    _clean(browser, compared)


def test_a_word_leaves_the_rows_that_have_it(browser: Any, twelve: Path) -> None:
    sized(browser, 1280)
    opened(browser, twelve)
    browser.find_element("id", "filter").send_keys("jetson")
    assert _soon(lambda: browser.find_element("id", "shown").text) == "6 of 12 rows"
    _clean(browser, twelve)


def test_pointing_at_a_mark_names_it_and_a_click_shows_its_row(browser: Any, twelve: Path) -> None:
    from selenium.webdriver import ActionChains

    sized(browser, 1280)
    opened(browser, twelve)
    script = """
        const box = document.getElementById('accuracy-latency'), chart = echarts.getInstanceByDom(box);
        box.scrollIntoView({block: 'center'});
        const {value, row} = chart.getOption().series[1].data[0];
        const [x, y] = chart.convertToPixel('grid', value), area = box.getBoundingClientRect();
        return [x - area.width / 2, y - area.height / 2, row.name, row.index];"""
    x, y, name, index = browser.execute_script(script)
    box = browser.find_element("id", "accuracy-latency")
    ActionChains(browser).move_to_element_with_offset(box, round(x), round(y)).perform()
    assert name in _soon(lambda: name in box.text and box.text)
    ActionChains(browser).click().perform()
    assert _soon(lambda: browser.find_element("id", "which").get_attribute("value") == str(index))
    _clean(browser, twelve)


def test_another_row_has_its_own_plots(browser: Any, twelve: Path) -> None:
    sized(browser, 1280)
    opened(browser, twelve)
    script = """
        const chart = echarts.getInstanceByDom(document.getElementById('calls'));
        const drawn = () => chart.getOption().series[0].data[0][0];
        const which = document.getElementById('which'), before = drawn();
        which.value = which.value === '3' ? '4' : '3';
        which.dispatchEvent(new Event('change'));
        return [before, drawn()];"""
    before, after = browser.execute_script(script)
    assert before != after
    windows = """
        const chart = echarts.getInstanceByDom(document.getElementById('power'));
        return chart.getOption().series[0].markArea.data;"""
    assert [pair[0]["name"] for pair in browser.execute_script(windows)] == ["idle", "the model runs", "idle"]
    _clean(browser, twelve)


def test_a_phone_scrolls_tables_and_not_the_page(browser: Any, twelve: Path) -> None:
    sized(browser, 390, phone=True)
    opened(browser, twelve)
    script = """
        const table = document.querySelector('#results .scroll');
        return [document.documentElement.scrollWidth, table.scrollWidth];"""
    width, table = browser.execute_script(script)
    assert width == 390 < table
    _clean(browser, twelve)


def test_paper_is_light_and_holds_the_plots(browser: Any, twelve: Path) -> None:
    sized(browser, 1280, scheme="dark")
    opened(browser, twelve)
    script = """
        const seen = () => [getComputedStyle(document.documentElement).getPropertyValue('--paper').trim(),
          Math.max(...[...document.querySelectorAll('.chart svg')].map((one) => +one.getAttribute('width')))];
        const screen = seen();
        dispatchEvent(new Event('beforeprint'));
        const paper = seen();
        dispatchEvent(new Event('afterprint'));
        return [screen, paper, seen()];"""
    screen, paper, again = browser.execute_script(script)
    assert paper[0] == "#fff" != screen[0] == again[0]
    assert paper[1] < 700 < screen[1] == again[1]
    assert len(browser.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 10_000
    _clean(browser, twelve)


def test_five_hundred_rows_open_at_once(browser: Any, tmp_path: Path) -> None:
    sized(browser, 1280)
    many_rows = _written(tmp_path / "many.html", 500)
    began = time.monotonic()
    opened(browser, many_rows)
    assert time.monotonic() - began < OPENS_IN_S
    assert len(_column(browser, "p50 ms")) == 500
    assert many_rows.stat().st_size < 8e6
    _clean(browser, many_rows)
