"""Renews the pictures of Prefect's UI in the docs, from real servers, workers and runs.

Run from a checkout: ``make screenshots`` (needs Chromium; ``CHROMIUM`` names another one), and the test cluster for the
picture of a run on Kubernetes.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from support.claims import volume
from support.prefect_cluster import prefect_cluster
from support.prefect_lab import ROOT, PrefectLab
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL

IMAGES = ROOT / "docs" / "images"
DEPLOYMENT = "client-server/windtunnel"
FINAL_SECONDS = 300
UI_PORT = 4200
"""Where the UI of the committed manifest looks for the server's API."""
SETTLE_MILLISECONDS = 2500
"""After the page has all its data: charts move into place."""


def main() -> int:
    """Take every picture; it fails if a page does not show what it is taken for."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        print("no Chromium found: apt-get install chromium, or set CHROMIUM", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="windtunnel-ui-") as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        for part in ("processes", "jobs"):
            (Path(folder) / part).mkdir()
        _of_processes(Path(folder) / "processes", page)
        _of_jobs(Path(folder) / "jobs", page)
        browser.close()
    return 0


def _of_processes(folder: Path, page: Page) -> None:
    """Take the pictures of a server on this machine and of runs by a worker of processes."""
    lab = PrefectLab(folder)
    try:
        lab.prepare()
        lab.start_worker("worker")
        run = lab.start(DEPLOYMENT)
        failed = lab.start(DEPLOYMENT, overrides=["server.command=['false']"])
        for one in (run, failed):
            lab.final(one, FINAL_SECONDS)
        Pictures(lab, page).take(run, failed)
    finally:
        lab.end_all()


def _of_jobs(folder: Path, page: Page) -> None:
    """Take the pictures of a server in the test cluster and of a run in a Job of its own."""
    with prefect_cluster(folder, port=UI_PORT) as lab, volume("777", lab.namespace) as claim:
        for words in (
            ("init", "client-server"),
            ("deploy", "client-server.toml", "--pool", KUBERNETES_POOL, "--set", f"output.store={claim.store}"),
        ):
            done = lab.windtunnel(*words)
            assert done.returncode == 0, done.stderr
        run = lab.start("client-server/hello-http")
        lab.final(run, FINAL_SECONDS)
        Pictures(lab, page).take_of_job(run)


class Pictures:
    """Takes one picture of each page that matters."""

    def __init__(self, lab: PrefectLab, page: Page) -> None:
        self._lab, self._page = lab, page
        self._base = str(lab.api.base_url).removesuffix("/api/")

    def take(self, run: str, failed: str) -> None:
        """Take all pictures of a run that succeeded and one that failed."""
        deployment = self._lab.deployment(DEPLOYMENT)["id"]
        artifacts = {item["key"]: item["id"] for item in self._lab.about("artifacts", run) if item["key"]}
        self._shot("prefect-form", f"/deployments/deployment/{deployment}/run", "Form", height=1700)
        self._shot("prefect-run", f"/runs/flow-run/{run}", "server is ready")
        self._shot("prefect-report", f"/artifacts/artifact/{artifacts['hello-http-report']}", "Metrics", height=1500)
        self._shot(
            "prefect-result", f"/artifacts/artifact/{artifacts['hello-http-result']}", "requests_per_second", height=500
        )
        self._shot(
            "prefect-failed", f"/runs/flow-run/{failed}?tab=Details", "State Message", self._details, height=1250
        )

    def take_of_job(self, run: str) -> None:
        """Take the picture of a run whose flow is in a pod."""
        self._shot("prefect-kubernetes", f"/runs/flow-run/{run}", "server is ready")

    def _details(self) -> None:
        self._page.get_by_text("Details", exact=True).click()

    def _shot(self, name: str, path: str, text: str, act: Callable[[], None] | None = None, height: int = 900) -> None:
        page = self._page
        page.set_viewport_size({"width": 1280, "height": height})
        page.goto(f"{self._base}{path}", wait_until="networkidle")
        if act:
            act()
        page.get_by_text(text).first.wait_for(timeout=20_000)
        page.wait_for_timeout(SETTLE_MILLISECONDS)
        page.screenshot(path=IMAGES / f"{name}.png")
        print(f"took {name}.png")


if __name__ == "__main__":
    sys.exit(main())
