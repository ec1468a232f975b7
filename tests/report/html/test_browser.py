"""The report in a real browser: Debian's Chromium through Playwright, axe-core for accessibility."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright
from reports import (
    FP16,
    FP32,
    INT8,
    SLOWER,
    explained,
    keep_detections,
    many,
    read,
    regressed,
    result,
    scored,
    write,
)  # fmt: skip
from runs import NOW, results

from harness.core.measurement import Measurement
from harness.machine.fingerprint import isa
from harness.report.html import page as html
from harness.report.html.page import render_page
from harness.store import history_db
from harness.store.results import CellResult

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = (375, 1440)
SCHEMES = ("light", "dark")
READY_S = 2

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on PATH: apt-get install chromium")


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Three cells, of which one is explained and has pictures and a history, and one that cannot run."""
    folder = tmp_path_factory.mktemp("small")
    keep_detections(folder)
    absent = INT8.sibling("int8-dynamic")
    gone = result(absent, "unavailable", measured=Measurement(absent, failure=("unavailable", "no kernels")))
    *fine, worse = regressed()
    worse = dataclasses.replace(worse, explanation=explained())
    file = write(folder, [*fine, worse, gone])
    for day in range(4):
        earlier = results(f"r{day}", started=NOW + timedelta(days=day), isa=isa(), map=0.4 + 0.01 * day)
        earlier["cells"][0] |= {"id": INT8.id, "suite": "demo"}
        history_db.append(folder / history_db.NAME, earlier, NOW)
    html.write_page(file, folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """200 cells."""
    folder = tmp_path_factory.mktemp("large")
    html.write_page(write(folder, many()), folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def show(browser):
    """Open a file; a message on the console, or a request for anything else, fails the test."""
    said, asked, pages = [], [], []

    def opened(file, width=1440, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        pages.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_function("performance.getEntriesByName('interactive').length")
        return page

    yield opened
    for page in pages:
        page.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def names(page):
    return [row.get_attribute("data-value") for row in page.locator("table.cells tbody tr:visible th").all()]


def column(page, title):
    return page.locator("table.cells thead th").filter(has_text=title)


# The table


def test_a_head_sorts_both_ways_and_back_and_what_is_unknown_stays_last(show, small):
    page = show(small)
    declared = names(page)
    head = column(page, "mAP")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert names(page)[0] == INT8.id
    assert names(page)[-1].endswith("int8-dynamic-onnxruntime-cpu")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert names(page)[-2:] == [INT8.id, declared[-1]]
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") is None
    assert names(page) == declared


def test_sorting_by_the_keyboard_alone(show, small):
    page = show(small)
    button = column(page, "verdict").get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    assert names(page)[0] == INT8.id
    page.keyboard.press("Space")
    assert column(page, "verdict").get_attribute("aria-sort") == "descending"


def test_the_filter_rules_table_and_figures(show, small):
    page = show(small)
    page.get_by_label("Find").fill("int8 regressed")
    assert names(page) == [INT8.id]
    expect(page.locator(".count")).to_have_text("1 of 4 cells")
    assert page.locator("[data-figure=trade] .mark:not(.dim)").count() == 1
    assert page.locator("[data-figure=calls] .mark").count() == 1
    assert page.locator("table.heat tbody tr:visible").count() == 1
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".count")).to_have_text("4 cells")
    page.locator("select[name=status]").select_option("unavailable")
    expect(page.locator(".count")).to_have_text("1 of 4 cells")
    page.get_by_label("Find").fill("nothing like it")
    expect(page.get_by_text("No cell matches the filter.")).to_be_visible()


# Figures


def test_hovering_a_point_tells_every_metric(show, small):
    page = show(small)
    mark, tip = page.locator(f"[data-figure=trade] .mark[aria-label^='{INT8.id}']"), page.locator("#tip")
    page.evaluate("scrollTo({top: document.querySelector('[data-figure=trade]').offsetTop - 200, behavior: 'instant'})")
    page.evaluate("new Promise(requestAnimationFrame)")  # the event of the scroll, which hides the tip
    mark.hover()
    expect(tip).to_be_visible()
    assert tip.locator("dt").all_inner_texts() == [
        "map", "map_50", "agreement", "size_bytes", "latency_ratio", "latency_p50_ms", "latency_p90_ms"
    ]  # fmt: skip
    assert tip.locator("dd").all_inner_texts()[3:6] == ["2.00 MB", "0.5000", "5.00 ms"]
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()


def test_points_are_reached_and_opened_by_keys_and_the_focus_comes_back(show, small):
    page = show(small)
    marks = page.locator("[data-figure=change][data-of=baseline] .mark")
    assert [mark.get_attribute("tabindex") for mark in marks.all()] == ["0", "-1", "-1"]
    marks.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(marks.last).to_be_focused()
    expect(page.locator("#tip")).to_contain_text(INT8.id)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("−0.02, 99% interval")
    expect(dialog).to_contain_text("weights")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(marks.last).to_be_focused()


def test_the_front_intervals_limits_calls_and_processes_are_drawn(show, small):
    page = show(small)
    assert page.locator("[data-figure=trade] [data-part=line] path").count() == 1
    change = page.locator("[data-figure=change][data-of=baseline]")
    assert change.locator("[data-part=tick] line").count() == 1  # the limit of the one gate that judged
    assert change.locator("[data-part=rule] line").count() == 2  # zero, and the one interval that is known
    assert page.locator("[data-figure=calls] [data-part=tick] line").count() == 300
    assert page.locator("[data-figure=processes] .mark").count() == 3


def test_a_name_opens_what_was_measured_and_a_click_beside_closes_it(show, small):
    page = show(small)
    page.locator("table.cells").get_by_role("button", name=FP16.id).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("average precision at IoU 0.50:0.95")
    page.mouse.click(3, 450)
    expect(dialog).to_be_hidden()


def test_figures_without_data_say_why(show, tmp_path):
    cells = [result(FP32, baseline=None)]
    file = tmp_path / "report.html"
    file.write_text(render_page(read(tmp_path, cells), tmp_path))
    page = show(file)
    expect(page.get_by_text("No cell has a comparable baseline.")).to_be_visible()
    expect(page.get_by_text("No cell has an fp32 sibling in this run.")).to_be_visible()
    expect(page.get_by_text("one process of each cell was timed")).to_be_visible()


def test_pictures_explanation_and_history_are_there(show, small):
    page = show(small)
    pairs = page.locator(".gallery .pair")
    assert pairs.count() == 2
    assert [pairs.first.locator(f"svg >> nth={side} >> .lost rect").count() for side in (0, 1)] == [1, 0]
    assert pairs.first.locator("svg").first.evaluate("svg => svg.querySelector('use').getBBox().width") == 420
    expect(page.get_by_role("region", name=f"Kinds of error of {INT8.id}")).to_contain_text("missed")
    expect(page.get_by_role("img", name=f"mAP of {INT8.id} over 4 runs")).to_be_visible()


def test_a_run_of_latency_alone_and_cells_without_any_number_are_shown_too(show, tmp_path):
    timed = dataclasses.replace(scored(INT8), per_class={}, metrics={"latency_p50_ms": 5.0})
    samples = {"latency_ms": [4.0, 5.0, 6.0], "log_ratio_network": [0.1, 0.2]}
    slow = result(INT8, "regressed", SLOWER, measured=dataclasses.replace(timed, samples=samples))
    gone = CellResult("demo", "old-cell", None, "missing", "the suite has it not", None)
    crashed = result(FP32, "error", measured=Measurement(FP32, failure=("error", "killed")), baseline=None)
    file = tmp_path / "report.html"
    file.write_text(render_page(read(tmp_path, [slow, gone, crashed]), tmp_path))
    page = show(file)
    assert page.locator("[data-figure=trade]").count() == 0
    assert page.locator("[data-figure=change][data-of=latency] .mark").count() == 1
    assert page.locator("[data-figure=processes] .mark").count() == 2
    page.locator("table.cells").get_by_role("button", name="old-cell").click()
    expect(page.get_by_role("dialog")).to_contain_text("the suite has it not")


def test_copying_gives_the_command(show, small):
    page = show(small)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name=f"Copy the command that repeats {INT8.id}").first.click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("pytest 'suites/test_demo.py::test_accuracy")


# Every screen, and paper


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen_and_axe_finds_nothing_serious(show, small, width, scheme):
    page = show(small, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert serious(page) == []
    page.locator("table.cells").get_by_role("button").nth(11).click()
    assert serious(page) == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_serious_in_strong_colours(show, large, scheme):
    assert serious(show(large, scheme=scheme)) == []


def serious(page):
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found if one["impact"] in ("serious", "critical")
    ]


def test_dark_and_light_differ_in_page_and_ink(show, small):
    seen = []
    for scheme in SCHEMES:
        page = show(small, scheme=scheme)
        seen.append([page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color")])
    (light, dark_ink), (dark, light_ink) = seen
    assert brightness(light) > 240 > 60 > brightness(dark)
    assert brightness(light_ink) > 200 > 60 > brightness(dark_ink)


def brightness(colour):
    return sum(float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")) / 3


def test_paper_is_white_has_no_controls_and_nothing_folded(show, small):
    page = show(small, scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert brightness(page.evaluate("getComputedStyle(document.body).backgroundColor")) == 255
    for control in (".top", ".filters", "button.copy"):
        expect(page.locator(control).first).to_be_hidden()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_200_cells_can_be_used_within_two_seconds(browser, show, large):
    """By the CPU time of the page's main thread until then: neighbours do not count. Alone, the clock says 0.5 s."""
    page = browser.new_page()
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(large.as_uri())
    page.wait_for_function("performance.getEntriesByName('interactive').length")
    spent = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    page.close()
    assert 0 < spent["TaskDuration"] <= READY_S
    page = show(large)
    column(page, "p50 ms").get_by_role("button").click()
    values = [float(cell.inner_text()) for cell in page.locator("table.cells tbody td:nth-child(4)").all()[:20]]
    assert values == sorted(values)
    assert page.locator("[data-figure=trade] .mark").count() == 200
    expect(page.get_by_text("more cells; the filter leads to them").first).to_be_visible()
