"""Prefect's own UI in a real browser: what a person clicks and reads there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from support.needs import program
from support.prefect_lab import PrefectLab

pytestmark = pytest.mark.timeout(600)

PATIENCE_MILLISECONDS = 60_000


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of a real browser."""
    executable = program("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        page.set_default_timeout(PATIENCE_MILLISECONDS)
        yield page
        browser.close()


def test_a_person_runs_a_benchmark_from_its_form(worker: PrefectLab, page: Page) -> None:
    """The form is filled with the sample; submitted, its run shows tasks, state, verdict, table and report."""
    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    ui = str(worker.api.base_url).removesuffix("/api/")
    deployment = worker.deployment("single-node/windtunnel")["id"]
    page.goto(f"{ui}/deployments/deployment/{deployment}/run")
    for choice in ("Form", "TOML", "File", "Stored"):
        expect(page.get_by_text(choice, exact=True)).to_be_visible()
    expect(page.get_by_text("What to measure.")).to_be_visible()
    assert "compress" in [box.input_value() for box in page.locator("textarea").all()]

    before = manual(worker, deployment)
    submit(page)
    worker.until(lambda: manual(worker, deployment) - before, 60, "run of the form")
    (run,) = manual(worker, deployment) - before
    worker.final(run)

    page.goto(f"{ui}/runs/flow-run/{run}")
    expect(page.get_by_text("Completed", exact=True).first).to_be_visible()
    expect(page.get_by_text("6 Task runs")).to_be_visible()
    expect(page.get_by_text("benchmark:compress").first).to_be_visible()
    page.get_by_text("Task Runs", exact=True).click()
    expect(page.get_by_text("benchmark 5/5").first).to_be_visible()

    artifacts = {item["key"]: item["id"] for item in worker.about("artifacts", run) if item["key"]}
    page.goto(f"{ui}/artifacts/artifact/{artifacts['compress-result']}")
    expect(page.get_by_text("throughput").first).to_be_visible()
    page.goto(f"{ui}/artifacts/artifact/{artifacts['compress-report']}")
    expect(page.get_by_text("Open the whole report")).to_be_visible()
    plots = page.locator("img[alt*='of compress-']")
    expect(plots.first).to_be_visible()
    assert plots.first.evaluate("image => image.naturalWidth") > 500


def submit(page: Page) -> None:
    """Click as a person does: again if the server was too busy to take it, or nothing happened."""
    for patience in (PATIENCE_MILLISECONDS / 2, PATIENCE_MILLISECONDS):
        with suppress(PlaywrightTimeout):
            with page.expect_response(lambda found: "/create_flow_run" in found.url, timeout=patience) as answer:
                page.get_by_role("button", name="Submit").click()
            if answer.value.ok:
                return
    pytest.fail("the form could not be submitted")


def manual(server: PrefectLab, deployment: str) -> set[str]:
    """Return the ids of a deployment's runs that nobody scheduled."""
    filters = {"deployments": {"id": {"any_": [deployment]}}}
    return {str(run["id"]) for run in server.post("/flow_runs/filter", filters) if not run["auto_scheduled"]}
