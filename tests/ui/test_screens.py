"""What a person sees in Airflow's UI: the campaign's grid and graph, its chunks by name, the form that starts a run.

With ``BONGSU_SCREENSHOTS=1`` the pictures of the docs are taken anew.
"""

import os
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, ViewportSize, expect, sync_playwright

from include.queries import ROOT
from tests.airflow_runs import TASKS, Started, until
from tests.dirty_run import SLUG, TESTERS, DirtyRun

pytestmark = [pytest.mark.airflow, pytest.mark.browser]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 1_000
# A browser, Airflow and the databases share the machine with whatever else runs on it.
LONGEST = 120 * SECONDS
expect.set_options(timeout=LONGEST)
SIZE: ViewportSize = {"width": 1600, "height": 900}


@pytest.fixture(scope="module")
def page(dirty_run: DirtyRun) -> Iterator[Page]:
    """A browser that has signed in."""
    assert CHROMIUM, "no browser; tools/setup.sh --browser installs one"
    api = dirty_run.airflow.api
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        window = browser.new_context(
            viewport=SIZE,
            base_url=api.url,
            locale="en-US",
            timezone_id="Asia/Seoul",
            color_scheme="light",
        )
        page = window.new_page()
        page.set_default_timeout(LONGEST)
        page.goto("/")
        page.fill("input[name=username]", api.user)
        page.fill("input[name=password]", api.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(re.compile("^(?!.*login)"))
        yield page
        browser.close()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    if os.environ.get("BONGSU_SCREENSHOTS") == "1":
        return ROOT / "docs" / "images"
    return tmp_path_factory.mktemp("screens")


def take(page: Page, path: Path) -> None:
    """A picture once nothing moves any more."""
    page.mouse.move(0, 0)
    page.wait_for_timeout(1.5 * SECONDS)
    page.screenshot(path=path, animations="disabled")
    assert path.stat().st_size < 300_000


def unfold(form: Locator, section: str) -> None:
    """Open a section of a form; it closes the one that was open, and moves while it does."""
    form.page.wait_for_timeout(SECONDS)
    form.get_by_role("button", name=section, exact=True).click()
    expect(form.get_by_role("region", name=section)).to_be_visible()


def path_of(run: Started) -> str:
    return f"/dags/{run.dag_id}/runs/{run.dag_run_id}"


def test_the_grid_shows_every_stage(page: Page, dirty_run: DirtyRun, pictures: Path) -> None:
    page.goto(path_of(dirty_run.run))
    page.get_by_role("button", name="Show Grid").click()
    for task_id in TASKS:
        expect(page.get_by_text(re.compile(rf"^{task_id}( \[.*\])?$")).first).to_be_visible()
    expect(page.get_by_text("봄맞이 할인 (acme)").first).to_be_visible()
    take(page, pictures / "grid.png")


def test_the_graph_shows_the_stages_in_a_row(page: Page, dirty_run: DirtyRun, pictures: Path) -> None:
    page.goto(path_of(dirty_run.run))
    page.get_by_role("button", name="Show Graph").click()
    page.get_by_role("button", name="Collapse Details Panel").click()
    page.set_viewport_size({"width": 1600, "height": 560})
    page.wait_for_timeout(SECONDS)
    page.get_by_role("button", name="Fit View").click()
    places = []
    for task_id in TASKS:
        node = page.get_by_test_id(f"rf__node-{task_id}")
        expect(node).to_be_visible()
        box = node.bounding_box()
        assert box is not None
        places.append(box["x"])
    assert places == sorted(places)
    chunks = dirty_run.report["chunks"]
    expect(page.get_by_test_id("rf__node-dispatch")).to_contain_text(f"dispatch [{chunks}]")
    take(page, pictures / "graph.png")
    page.set_viewport_size(SIZE)
    page.get_by_role("button", name="Show Details Panel").click()
    page.get_by_role("button", name="Show Grid").click()


def test_the_chunks_have_readable_names(page: Page, dirty_run: DirtyRun, pictures: Path) -> None:
    page.goto(f"{path_of(dirty_run.run)}/tasks/dispatch/mapped")
    for number, line in ((9, 3), (8, 2), (7, 1), (1, 1)):
        expect(page.get_by_text(f"chunk {number} · SMSQ_SEND_{line} · 500")).to_have_count(1)
    take(page, pictures / "mapped.png")


def test_the_campaigns_page_says_what_is_sent_to_whom(page: Page, dirty_run: DirtyRun) -> None:
    page.goto(f"/dags/{dirty_run.run.dag_id}")
    page.get_by_role("button", name="Dag Docs").click()
    shown = page.get_by_role("dialog")
    expect(shown).to_contain_text("ACME sends this advertising message")
    expect(shown).to_contain_text("봄맞이 20% 할인! 3월 말까지 전 매장")
    expect(shown).to_contain_text("customers.csv")


def test_the_form_of_a_campaign_asks_for_nothing_and_offers_the_exceptions(page: Page, dirty_run: DirtyRun) -> None:
    page.goto(f"/dags/{dirty_run.run.dag_id}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    expect(form.get_by_role("button", name="Trigger", exact=True)).to_be_enabled()
    unfold(form, "Exceptions")
    for title in ("Send in quiet hours", "Reason", "Allow a backfill to send"):
        expect(form.get_by_role("region")).to_contain_text(title)


def test_a_person_starts_a_test_send_with_its_form(page: Page, dirty_run: DirtyRun, pictures: Path) -> None:
    airflow = dirty_run.airflow
    known = {run.dag_run_id for run in airflow.runs_of("test_send")}
    page.goto("/dags/test_send")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    start = form.get_by_role("button", name="Trigger", exact=True)
    # a test is of a campaign, which a person has to name
    expect(start).to_be_disabled()
    form.locator("[name=element_campaign]").fill(f"acme/{SLUG}")
    take(page, pictures / "trigger-form.png")
    start.click()
    runs = partial(airflow.runs_of, "test_send")
    run = until("the run", lambda: next((run for run in runs() if run.dag_run_id not in known), None))
    row = run.wait().row()
    assert row["test_send"] is True
    assert row["totals"]["accepted"] == TESTERS
