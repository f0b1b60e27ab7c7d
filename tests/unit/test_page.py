"""A report as a page: for the eye in two schemes, for a screen reader, for a printer, for a phone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from support.made import Labels, write_run, write_sweep
from support.page import Page
from windtunnel.analysis.plots.palette import DARK, LIGHT
from windtunnel.analysis.report import render
from windtunnel.analysis.sweep_report import render as render_sweep
from windtunnel.backends.recording import Outcome, RecordingBackend
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import UsageSample
from windtunnel.run.record import RunRecord

RunRecorded = Callable[..., RunRecord]
NewFolder = Callable[[str], RunFolder]


def failed(run_recorded: RunRecorded, client_server: str) -> RunFolder:
    """Return a run whose second iteration failed, with a note and an artifact."""
    outcomes = [Outcome(output="rate=1\n"), Outcome(output="<b>out of disk</b>\n", status=3)]
    record = run_recorded(client_server + "\n[run]\nrepeats = 5\n", RecordingBackend({"client": outcomes}))
    folder = RunFolder(Path(record.path or ""))
    (folder.path / "artifacts" / "out.csv").write_text("", encoding="utf-8")
    folder.append("usage", UsageSample("server", 1.0, 0.5, 0.5, None, 2**20, 1).to_json())
    folder.append("events", {"time": "", "type": "note", "message": "mind the gap"})
    folder.close()
    return folder


def labelled(new_folder: NewFolder, single_node: str) -> RunFolder:
    """Return a run with a distribution for each of two labels."""
    folder = new_folder(single_node)
    groups: dict[Labels, list[float]] = {
        (("op", name),): [float(value) for value in range(start, start + 20)] for name, start in (("a", 1), ("b", 9))
    }
    write_run(folder, [groups] * 4, warmup=1)
    return folder


def long(new_folder: NewFolder, single_node: str) -> RunFolder:
    """Return a run of so many iterations that all is drawn in its short form."""
    folder = new_folder(single_node)
    write_run(folder, [{(): [float(number % 7)]} for number in range(400)])
    return folder


def empty(new_folder: NewFolder, single_node: str) -> RunFolder:
    """Return a run that left nothing but its first record."""
    folder = new_folder(single_node)
    folder.write_record(
        RunRecord(run_id="x", benchmark="b", strategy="s", engine="i", backend="r", status="running", driver={})
    )
    return folder


def sweep_page(store: Path, single_node: str) -> Page:
    """Return the report of a sweep over two keys, of which one counts workers, with a failed and a suspect run."""
    text = f'{single_node}\n[client.env]\nTHREADS = "1"\nSIZE = "1"\n'
    text += '[matrix]\n"client.env.THREADS" = ["1", "2", "4"]\n"client.env.SIZE" = ["5", "50"]\n'
    changes: dict[int, dict[str, Any]] = {
        4: {"validity": "suspect", "reasons": ["<b>doubt</b>"]},
        5: {"validity": None, "metrics": {}},
    }

    def measure(values: Mapping[str, str]) -> dict[str, list[float]]:
        rate = 10.0 * int(values["client.env.THREADS"])
        return {"rate": [rate, rate + 1, rate + 2], "other": [1.0, 2.0, 3.0]}

    return Page(render_sweep(write_sweep(store, text, measure, changes), store))


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    """The reports made so far: no test changes one, and each takes a while to draw."""
    return {}


@pytest.fixture(params=["failed", "labelled", "long", "empty", "sweep"])
def page(request: pytest.FixtureRequest, pages: dict[str, Page]) -> Page:
    """The report of a run of each kind, and of a sweep."""
    kind = request.param
    if kind == "sweep" and kind not in pages:
        pages[kind] = sweep_page(*map(request.getfixturevalue, ("tmp_path", "single_node")))
    elif kind not in pages:
        kinds = {"labelled": labelled, "long": long, "empty": empty}
        if kind == "failed":
            run_recorded, client_server = map(request.getfixturevalue, ("run_recorded", "client_server"))
            folder = failed(run_recorded, client_server)
        else:
            folder = kinds[kind](*map(request.getfixturevalue, ("new_folder", "single_node")))
        pages[kind] = Page(render(folder))
    return pages[kind]


def test_elements_end_where_they_should(page: Page) -> None:
    """Every element is closed inside the one that it began in."""
    assert page.misnested == []


def test_headings_are_in_order(page: Page) -> None:
    """There is one h1, it is the first, and no level is left out on the way down."""
    levels = [int(element.tag[1]) for element in page.all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_ids_are_unique(page: Page) -> None:
    """Also those inside the plots, which one program made one by one."""
    ids = Counter(element.attributes["id"] for element in page.elements if "id" in element.attributes)
    assert [name for name, count in ids.items() if count > 1] == []


def test_what_is_referred_to_exists(page: Page) -> None:
    """Every anchor, label and clip path in the page has its target."""
    ids = {element.attributes.get("id") for element in page.elements}
    wanted = {reference[1:] for reference in page.references if reference.startswith("#")}
    for name in ("aria-labelledby", "aria-describedby"):
        wanted |= {element.attributes[name] for element in page.elements if name in element.attributes}
    assert {"verdict", "environment"} <= wanted
    assert wanted - ids == set()


def test_the_navigation_names_every_section(page: Page) -> None:
    """What has a heading of its own can be reached from the top, and there is no link to what is not there."""
    links = [e.attributes["href"] for e in page.elements if e.tag == "a" and "nav" in e.parents]
    sections = [f"#{element.attributes['id']}" for element in page.all("section")]
    assert links == sections
    first = page.all("a")[0]
    assert (first.attributes["class"], first.attributes["href"]) == ("skip", "#verdict")


def test_plots_are_images_with_words(page: Page) -> None:
    """Each SVG is announced as one image by a sentence, and its figure says the same to the eye."""
    plots = page.all("svg")
    assert all(plot.attributes["role"] == "img" for plot in plots)
    assert all("figure" in plot.parents for plot in plots)
    captions = [" ".join(caption.text.split()) for caption in page.all("figcaption")]
    labels = [plot.attributes["aria-label"] for plot in plots]
    assert [label.replace(". ", " ", 1) for label in labels] == captions
    assert all(re.search(r"\d", label) for label in labels)


def test_images_have_labels(page: Page) -> None:
    """Whatever has the role of an image has words for who does not see it."""
    images = [element for element in page.elements if element.attributes.get("role") in {"img", "region", "group"}]
    assert all(e.attributes.get("aria-label") or e.attributes.get("aria-labelledby") for e in images)


def test_tables_have_captions_and_scopes(page: Page) -> None:
    """A screen reader can say what a table is about and what a cell's row and column are."""
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(element.attributes.get("scope") in {"row", "col"} for element in page.all("th"))


def test_what_scrolls_can_be_reached_by_keyboard(page: Page) -> None:
    """Tables, logs and wide plots take the focus, so that arrow keys move them."""
    for element in page.elements:
        classes = element.attributes.get("class", "").split()
        if element.tag == "pre" or "wide" in classes or ("scroll" in classes and "role" in element.attributes):
            assert element.attributes.get("tabindex") == "0"


def test_nothing_is_loaded(page: Page) -> None:
    """No attribute and no style refers to anything but the page and the run's own files."""
    runs = [reference for reference in page.references if re.fullmatch(r"alone-[\w-]+/", reference)]
    assert [
        ref for ref in page.references if not ref.startswith(("#", "logs/", "artifacts/")) and ref not in runs
    ] == []
    assert {"script", "link", "iframe", "object", "embed", "img", "base"}.isdisjoint(page.tags)


def test_the_page_has_a_style_for_each_medium(page: Page) -> None:
    """Dark where the reader prefers it on a screen, light on paper, with all that is folded unfolded."""
    style = page.all("style")[0].text
    for words in (
        "@media screen and (prefers-color-scheme: dark)",
        "@media print",
        "@page { size: A4;",
        "::details-content { content-visibility: visible",
        ":focus-visible",
        "@media (max-width: 40rem)",
    ):
        assert words in style
    for palette in (LIGHT, DARK):
        assert all(f"--{name}: {colour};" in style for name, colour in palette.items())
    names = set(re.findall(r"var\(--([\w-]+)\)", page.html)) - {"tone"}
    assert names <= set(LIGHT)


def test_plots_take_their_colours_from_the_page(page: Page) -> None:
    """No plot has a colour of its own: it would not follow the scheme."""
    body = page.html[page.html.index("<body>") :]
    assert re.findall(r"(?:fill|stroke): #[0-9a-f]{3,6}", body) == []


def luminance(colour: str) -> float:
    """Return a colour's relative luminance (WCAG 2.2)."""
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_computed_as_wcag_says() -> None:
    """Black on white is 21, a colour on itself 1, and #767676 is the lightest grey that passes on white."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#123456", "#123456") == 1
    assert contrast("#767676", "#ffffff") > 4.5 > contrast("#777777", "#ffffff")


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["page", "card"])
def test_contrast_is_enough_for_text_and_lines(palette: dict[str, str], ground: str) -> None:
    """Text has 4.5:1 and lines of plots 3:1 on either ground, in either scheme (WCAG AA)."""
    text = {name: contrast(palette[name], palette[ground]) for name in ("ink", "muted", "link", "good", "warn", "bad")}
    lines = {name: contrast(palette[name], palette[ground]) for name in palette if name.startswith("series-")}
    assert {name: ratio for name, ratio in text.items() if ratio < 4.5} == {}
    assert {name: ratio for name, ratio in lines.items() if ratio < 3} == {}
    assert len(lines) == 6
