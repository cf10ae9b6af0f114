"""The page in a browser: Debian's chromium ($CHROMIUM names another), and axe-core where .ci/run has put it ($AXE)."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pages
import pytest
import synthetic

from app_repro.report import write as report
from app_repro.report.tables.table import Cell, Column, Table

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
AXE = Path(os.environ.get("AXE") or Path.home() / ".cache/app-repro/axe-core-4.14.1/axe.min.js")
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no chromium: apt-get install chromium, or name one in $CHROMIUM")

VALUES = (("ten", 10.0), ("none", None), ("nine", 9.0), ("thousand", 1200.0))
SETTING = (Column("dataset", "data set", setting="group"), Column("arch", "network", setting="group"))
GROUPED = Table(
    "grouped",
    "In groups",
    "",
    (*SETTING, Column("k", "megabatch", True), *(Column(f"c{i}", f"column {i}", True) for i in range(20))),
    tuple(
        (
            Cell(name, name),
            Cell("resnet18", "resnet18"),
            Cell(k, str(k)),
            *(Cell(1.0, "1.00 ± 0.10 (3)", (), sd=0.1, n=3),) * 20,
        )
        for name in ("cifar10", "digits")
        for k in range(1, 41)
    ),
)
SORTED = Table(
    "sorted",
    "To be sorted",
    "",
    (Column("name", "name"), Column("size", "size", True)),
    tuple((Cell(name, name), Cell(value, "-" if value is None else f"{value:,.0f}")) for name, value in VALUES),
)
LATER = """new Promise((say) => setTimeout(() => {
  try { say(Function("return 1")()) } catch { say("no eval") }
}))"""
"""A function made of text, tried when the debugger, which may, has let go."""
Open = Callable[..., Any]
PUBLISHED = ("demo", "audit")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return pages.write(tmp_path_factory.mktemp("page"), pages.records(), SORTED, GROUPED)


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> dict[str, Path]:
    """The whole report of each set of published runs, as the command writes it."""
    folder = tmp_path_factory.mktemp("real")
    for name in PUBLISHED:
        report.write([Path("data/published") / name], synthetic.CLAIMS, folder / name)
    return {name: folder / name / "index.html" for name in PUBLISHED}


@pytest.fixture
def opened(browser, path) -> Iterator[Open]:
    """Opens a page, drawn; when the test ends nothing may have been said to the console or asked of the network."""
    said: list[str] = []
    tabs = []

    def visit(file: Path = path, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Any:
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme, java_script_enabled=scripts)
        context.set_default_timeout(10_000)
        tabs.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        tab.on("request", lambda asked: said.append(asked.url) if asked.url != file.as_uri() else None)
        tab.goto(file.as_uri())
        if scripts:
            tab.wait_for_selector("html[data-drawn=both]")
        return tab

    yield visit
    for context in tabs:
        context.close()
    assert [text for text in said if text != "data:,"] == []


def wide(tab: Any) -> int:
    return tab.evaluate("document.documentElement.scrollWidth - innerWidth")


def column(tab: Any, place: int = 1) -> list[str]:
    return tab.locator(f"#rows-sorted tbody tr td:nth-child({place})").all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_axe_finds_nothing(opened, width, scheme) -> None:
    tab = opened(width=width, scheme=scheme)
    assert wide(tab) <= 0
    tab.locator("summary").first.click()
    assert violations(tab) == []


def violations(tab: Any) -> list[Any]:
    """What axe finds wrong on the page, and then in a dialog over it; contrast not being looked at is wrong too."""
    if not AXE.exists():
        pytest.skip(f"no axe-core at {AXE}; .ci/run puts it there")
    tab.evaluate(AXE.read_text())
    run = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    wrong: list[Any] = []
    for place in ("page", "dialog"):
        if place == "dialog":
            tab.locator("#table-main button[data-runs]").first.click()
        found = tab.evaluate("run => axe.run(run)", run)
        wrong += [(place, one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found["violations"]]
        if "color-contrast" not in {one["id"] for one in found["passes"]}:
            wrong.append((place, "contrast was not looked at"))
    return wrong


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PUBLISHED)
def test_axe_finds_nothing_on_the_published_pages(opened, real, name, scheme) -> None:
    tab = opened(real[name], width=1280 if scheme == "light" else 390, scheme=scheme)
    assert violations(tab) == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_pages_work_and_vega_warns_of_nothing(opened, real, name, width) -> None:
    tab = opened(real[name], width=width)
    assert wide(tab) <= 0
    block = tab.locator("#table-main")
    block.locator("th button").filter(has_text="test accuracy").first.click()
    assert block.locator("th[aria-sort=ascending]").count() == 1
    block.locator("input").fill("app")
    shown = block.locator("tbody tr:not(.group):visible")
    assert shown.count() > 0 and all("app" in text for text in shown.all_inner_texts())
    shown.locator("button[data-runs]").first.click()
    assert tab.locator("dialog tbody tr").count() == 3
    tab.keyboard.press("Escape")
    block.locator("input").fill("")
    for protocol in ("paper", "released", "both"):
        tab.locator(".switch label", has_text=protocol).click()
        tab.wait_for_selector(f"html[data-drawn={protocol}]")
        assert wide(tab) <= 0 and tab.locator(".error").count() == 0
    for menu in tab.locator("figure select:visible").all():
        menu.select_option(index=menu.locator("option").count() - 1)


@pytest.mark.parametrize("height", [(1280, 900), (390, 844)])
@pytest.mark.parametrize("name", PUBLISHED)
def test_the_answer_stands_above_the_fold(opened, real, name, height) -> None:
    tab = opened(real[name], width=height[0])
    box = tab.locator("#answer").bounding_box()
    assert tab.locator("#answer .tally dt").all_inner_texts() == ["paper protocol", "released protocol"]
    assert box["y"] > 0 and box["y"] + box["height"] <= height[1]


@pytest.mark.parametrize("name", PUBLISHED)
def test_no_table_of_the_published_pages_scrolls_sideways(opened, real, name) -> None:
    tab = opened(real[name])
    tab.evaluate("document.querySelectorAll('tr.group button[aria-expanded=false]').forEach(button => button.click())")
    sizes = tab.evaluate("[...document.querySelectorAll('#tables .scroll')].map(e => [e.scrollWidth, e.clientWidth])")
    assert sizes and all(inner <= outer for inner, outer in sizes)


def test_what_does_not_differ_stands_in_the_caption_and_groups_fold_by_keyboard(opened) -> None:
    tab = opened()
    block = tab.locator("#table-grouped")
    assert block.locator(".shared").inner_text() == "resnet18 · 3 seeds each"
    assert block.locator("thead th").first.inner_text() == "megabatch"
    toggles = block.locator("tr.group button")
    assert toggles.all_inner_texts() == ["cifar10", "digits"]
    assert block.locator("tbody tr:not(.group):visible").count() == 0  # 80 rows: closed until someone opens them
    toggles.last.press("Enter")
    assert [button.get_attribute("aria-expanded") for button in toggles.all()] == ["false", "true"]
    assert block.locator("tbody tr:not(.group):visible").count() == 40
    block.locator("input").fill("cifar10")  # what is looked for is opened
    assert block.locator("tbody tr:not(.group):visible").count() == 40
    assert toggles.first.get_attribute("aria-expanded") == "true" and toggles.last.is_hidden()


def test_on_a_phone_the_first_column_stays_while_a_table_scrolls(opened) -> None:
    tab = opened(width=390)
    tab.locator("#table-grouped tr.group button").first.click()
    cell = tab.locator("#rows-grouped tbody tr:not(.group) td:first-child").first
    before = cell.bounding_box()["x"]
    tab.evaluate("document.querySelector('#table-grouped .scroll').scrollLeft = 300")
    assert cell.bounding_box()["x"] == before
    assert tab.locator("#rows-grouped tbody tr:not(.group) td:nth-child(3)").first.bounding_box()["x"] < before


def test_the_switch_narrows_the_menus_of_figures(opened, real) -> None:
    tab = opened(real["audit"])
    menu = tab.locator("#figure-anytime select")
    offered = menu.locator("option:not([disabled])")
    assert offered.count() == 7
    tab.locator(".switch label", has_text="released").click()
    tab.wait_for_selector("html[data-drawn=released]")
    assert offered.count() == 6 and all("released" in text for text in offered.all_text_contents())
    names = tab.locator("#figure-anytime .mark-text text, #figure-anytime .mark-text tspan").all_text_contents()
    assert "APP" in names and any(name.startswith("paper: ") for name in names)
    menu.select_option(label="cifar10, resnet20s, released, candidates=kept, T = 8")
    tab.wait_for_function("document.querySelector('#figure-anytime .views').ariaLabel.includes('candidates=kept')")


def test_a_heading_sorts_by_value_and_what_is_missing_stays_last(opened) -> None:
    tab = opened()
    head = tab.locator("#rows-sorted th").nth(1)
    assert head.get_attribute("aria-sort") is None
    head.locator("button").click()
    assert (column(tab, 2), head.get_attribute("aria-sort")) == (["9", "10", "1,200", "-"], "ascending")
    head.locator("button").press("Enter")
    assert (column(tab, 2), head.get_attribute("aria-sort")) == (["1,200", "10", "9", "-"], "descending")
    tab.locator("#rows-sorted th button").first.click()
    assert column(tab) == ["nine", "none", "ten", "thousand"]
    assert head.get_attribute("aria-sort") is None


def test_the_filter_keeps_rows_with_every_word_and_counts_them(opened) -> None:
    tab = opened(width=390)
    block = tab.locator("#table-runs")
    block.locator("input").fill("app RELEASED")
    assert block.locator("tbody tr:visible").count() == 3
    assert block.locator(".count").inner_text() == "3 of 12 rows"
    block.locator("input").fill("nowhere")
    assert block.locator("tbody tr:visible").count() == 0 and block.locator(".nothing").is_visible()
    block.locator("input").fill("")
    assert block.locator(".count").inner_text() == "12 rows" and block.locator(".nothing").is_hidden()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_protocol_switch_reaches_verdicts_figures_and_tables(opened, width) -> None:
    tab = opened(width=width)
    marks = tab.locator("#figure-accuracy .mark-symbol.role-mark path")
    assert marks.count() == 2 * 2 * 3 * 8
    tab.locator(".switch label", has_text="released").click()
    tab.wait_for_selector("html[data-drawn=released]")
    assert tab.locator("#table-main tbody tr:visible").count() == 2
    assert set(tab.locator(".finding:visible .protocol").all_inner_texts()) == {"released protocol"}
    tab.keyboard.press("ArrowLeft")
    tab.wait_for_selector("html[data-drawn=paper]")
    assert set(tab.locator(".finding:visible .protocol").all_inner_texts()) == {"paper protocol"}


def test_a_protocol_without_runs_says_so_in_each_figure(opened, tmp_path) -> None:
    tab = opened(pages.write(tmp_path, pages.records(protocols=["paper"])))
    tab.locator(".switch label", has_text="released").click()
    tab.wait_for_selector("html[data-drawn=released]")
    note = tab.locator("#figure-accuracy .nothing")
    assert note.inner_text() == "No run of this figure follows the released protocol."
    assert tab.locator("#figure-accuracy .plot").is_hidden()
    assert tab.locator("#table-main .nothing").inner_text() == "No row fits."


def test_a_click_on_a_number_shows_the_runs_behind_it(opened) -> None:
    tab = opened(width=390)
    tab.locator("#table-runs th button").first.click()  # the order on the screen must not matter
    tab.locator("#table-main button[data-runs]").first.click()
    dialog = tab.locator("dialog")
    first = tab.locator("#table-main tbody tr").first.locator("td")
    number = " ".join(first.nth(5).inner_text().split())
    assert dialog.locator(".what").inner_text() == f"test accuracy, %: {number} — 3 runs"
    method, protocol = first.nth(2).inner_text(), first.nth(3).inner_text()
    rows = [row.split("\t") for row in dialog.locator("tbody tr").all_inner_texts()]
    assert [(row[8], row[1], row[4]) for row in rows] == [(method, str(seed), protocol) for seed in (1, 2, 3)]
    assert all(re.fullmatch("[0-9a-f]{12}", row[0]) for row in rows)
    dialog.get_by_role("button", name="Close").click()
    assert dialog.is_hidden()


def test_the_runs_are_reached_by_keyboard_alone(opened) -> None:
    tab = opened()
    tab.locator("#table-main input").focus()
    focused = "document.activeElement.closest('td')?.cellIndex ?? document.activeElement.tagName"
    while tab.evaluate(focused) != 5:
        tab.keyboard.press("Tab")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate(focused) == 6
    tab.keyboard.press("ArrowDown")
    assert tab.evaluate("document.activeElement.closest('tr').rowIndex") == 2
    tab.keyboard.press("Enter")
    assert tab.locator("dialog").is_visible()
    assert tab.locator("dialog .what").inner_text().startswith("CER: ")
    tab.keyboard.press("Escape")
    assert tab.locator("dialog").is_hidden()
    assert tab.evaluate("document.activeElement.closest('tr').rowIndex") == 2  # back where one was
    tab.keyboard.press("Tab")  # one stop a table: the next is out of it
    assert tab.evaluate("document.activeElement.closest('#table-main') === null")


def test_a_verdict_shows_the_runs_it_rests_on(opened) -> None:
    tab = opened()
    tab.locator(f"#claim-{pages.CLAIM} button[data-runs]").first.click()
    assert tab.locator("dialog tbody tr").count() == 6
    assert tab.locator("dialog .what").inner_text().endswith("6 runs")


def test_dark_and_light_are_switched_and_remembered(opened) -> None:
    tab = opened(scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    button = tab.locator("button.theme")
    dark = tab.evaluate(ground)
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    light = tab.evaluate(ground)
    assert light != dark and button.get_attribute("aria-pressed") == "false"
    tab.reload()
    tab.wait_for_selector("html[data-drawn]")
    assert tab.evaluate(ground) == light


def test_pointing_at_a_mark_shows_its_values(opened) -> None:
    tab = opened()
    tab.locator("#figure-accuracy").scroll_into_view_if_needed()
    tab.locator("#figure-accuracy .mark-symbol.role-mark path").last.hover()
    shown = tab.locator("#vg-tooltip-element")
    assert "megabatch" in shown.inner_text() and "test accuracy" in shown.inner_text()


HOSTILE = ["<script>", "</script><script>alert(1)</script><img src=x onerror=alert(2)>", '"><svg onload=alert(3)>']


@pytest.mark.promise
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_shown_and_do_nothing(opened, tmp_path, hostile) -> None:
    records = pages.records(protocols=["paper"])
    for content in records:
        content["spec"]["dataset"] = hostile
    chart = pages.chart(records)
    for value in chart.panels[0].views[0]["data"]["values"]:
        value["method"] = hostile
    written = pages.write_page(
        tmp_path, pages.Report((), (hostile,)), [pages.main_table(records)], [chart], pages.run_records(records)
    )
    tab = opened(written)
    assert tab.locator("#table-main tbody td").first.inner_text() == hostile
    tab.locator("#figure-accuracy .mark-symbol.role-mark path").last.hover()
    assert hostile in tab.locator("#vg-tooltip-element").inner_text()
    tab.locator("#table-main button[data-runs]").first.click()
    assert hostile in tab.locator("dialog tbody tr").first.inner_text()


@pytest.mark.promise
def test_a_data_set_called_script_is_reported_by_its_name(browser, tmp_path) -> None:
    """The whole report of the command, from records on disk."""
    name, said = "folder:<script>alert(1)</script>", []
    runs = synthetic.write(tmp_path / "runs", *pages.records(protocols=["paper"], dataset=name))
    report.write([runs], synthetic.CLAIMS, tmp_path / "report")
    address = (tmp_path / "report" / "index.html").as_uri()
    tab = browser.new_page()
    tab.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    tab.on("request", lambda asked: said.append(asked.url) if asked.url not in (address, "data:,") else None)
    tab.goto(address)
    tab.wait_for_selector("html[data-drawn=both]")
    assert tab.locator("#table-main .shared").inner_text().startswith(name)
    assert name in tab.locator("#table-runs tbody tr").first.inner_text()
    assert tab.evaluate("[...document.scripts].filter(script => script.text.startsWith('alert')).length") == 0
    assert said == []
    tab.close()


@pytest.mark.promise
def test_no_other_script_or_request_is_let_through(browser, path) -> None:
    tab = browser.new_page()
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.goto(path.as_uri())
    tab.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    assert tab.evaluate("window.ran") is None
    assert tab.evaluate("fetch('https://example.org').then(() => 'went', () => 'stopped')") == "stopped"
    assert tab.evaluate(LATER) == "no eval"
    assert sum("Content Security Policy" in text for text in said) >= 2
    tab.close()


def test_without_scripts_verdicts_tables_and_words_are_there(opened) -> None:
    tab = opened(width=390, scripts=False)
    assert tab.locator(f"#claim-{pages.CLAIM} .badge").first.inner_text().split() == ["✓", "reproduced"]
    assert tab.locator("#table-main tbody tr").count() == 4 and tab.locator("#table-runs tbody tr").count() == 12
    for control in (".controls", ".tools", "#figures-intro", "dialog"):
        assert tab.locator(control).first.is_hidden(), control
    tab.locator("#figure-accuracy summary").click()
    assert tab.get_by_text("APP ends ahead of dense.").is_visible()
    assert tab.locator("noscript").inner_text().startswith("Figures are drawn by a script, which is off")


def test_a_printed_page_is_light_and_has_no_controls(opened) -> None:
    tab = opened(scheme="dark")
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(30, 34, 38)"
    for control in (".bar", ".tools"):
        assert tab.locator(control).first.is_hidden()
    assert tab.locator("#figure-accuracy svg").is_visible()
    assert tab.locator("details.waiting .claims").last.is_visible()
    assert tab.locator("#rows-grouped tbody tr:not(.group)").first.is_visible()
    assert tab.pdf(format="A4").startswith(b"%PDF")
    tab.emulate_media(media="screen")
    tab.locator("details.waiting .claims").last.wait_for(state="hidden")


SITUATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "long": ({"sb": 100, "seeds": [1]}, "No runs of: osp ("),
    "one run": ({"protocols": ["released"], "methods": ["app"], "seeds": [1]}, "One seed only, so no sd: "),
    "one protocol": ({"protocols": ["paper"]}, "The released protocol has no run"),
    "many": ({"seeds": range(1, 101)}, "No runs of: osp ("),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_set_of_runs_gives_a_page_that_says_what_is_missing(opened, tmp_path, name) -> None:
    changes, sentence = SITUATIONS[name]
    records = pages.records(**changes)
    written = pages.write(tmp_path, records)
    assert written.stat().st_size < 3_000_000
    tab = opened(written, width=390)
    assert sentence in tab.locator(".lacking").inner_text()
    assert tab.locator("#figure-accuracy svg").is_visible() and wide(tab) <= 0
    assert tab.locator("#table-runs tbody tr").count() == len(records)


def test_a_diverged_run_is_named_in_words_and_in_the_runs(opened, tmp_path) -> None:
    records = pages.records(protocols=["paper"])
    records[0] |= {"status": "diverged", "summary": None, "diverged": {"megabatch": 3, "epoch": 2}}
    tab = opened(pages.write(tmp_path, records))
    assert f"({records[0]['run_id']}, megabatch 3, epoch 2)" in tab.locator(".lacking").inner_text()
    assert "diverged at megabatch 3, epoch 2" in tab.locator(f"#run-{records[0]['run_id']}").inner_text()
    assert tab.locator(f"#claim-{pages.CLAIM} .badge").first.inner_text().split() == ["!", "error"]


def test_a_chart_that_cannot_be_drawn_says_so_and_the_rest_stands(browser, tmp_path) -> None:
    records = pages.records()
    chart = pages.chart(records)
    nothing = pages.Panel("one", ("paper",), "", ({"mark": {"type": "nothing"}, "encoding": {}},))
    broken = pages.PageFigure("broken", "Broken", "", "", (nothing,))
    written = pages.write_page(tmp_path, pages.Report((), ()), [], [broken, chart], pages.run_records(records))
    tab = browser.new_page()
    tab.goto(written.as_uri())
    tab.wait_for_selector("html[data-drawn]")
    assert "cannot be drawn" in tab.locator("#figure-broken .nothing").inner_text()
    assert tab.locator("#figure-accuracy svg").is_visible()
    assert json.loads(tab.evaluate("JSON.stringify(Object.keys(window).includes('vegaEmbed'))"))
    tab.close()
