"""Plots: small however long the run, honest about what they put together, and as PNG too."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from collections.abc import Callable

import numpy as np
import pytest

from support.made import Labels, write_run
from windtunnel.analysis.images import png_plots
from windtunnel.analysis.plots import Line, draw_svg, plot_distribution, plot_usage, plot_values
from windtunnel.analysis.plots.downsample import coverage, envelope, longest, merged, ranks
from windtunnel.analysis.plots.drawing import legible
from windtunnel.analysis.statistics import confidence_interval
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import UsageSample
from windtunnel.run.record import MetricSummary, RunRecord

NewFolder = Callable[[str], RunFolder]
SIZE = (3.0, 2.0)


def summary(values: list[float]) -> MetricSummary:
    """Return the summary of these values, one an iteration."""
    return MetricSummary(
        unit="µs",
        better=None,
        n=len(values),
        mean=float(np.mean(values)),
        median=float(np.median(values)),
        stdev=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        ci95=confidence_interval(values),
        p50=0.0,
        p90=0.0,
        p99=0.0,
        values=values,
        samples=len(values),
    )


def test_an_envelope_hides_no_extreme() -> None:
    """However few groups there are, the highest and the lowest value are in one of them, in its place."""
    values = np.zeros(10_000)
    values[1234], values[9000] = 50.0, -7.0
    times = np.arange(10_000.0)
    thin = envelope(times, times + 1, values, 100)
    assert len(thin.mean) == 100
    assert (thin.high.max(), thin.low.min()) == (50.0, -7.0)
    assert thin.begin[thin.high.argmax()] <= 1234 < thin.end[thin.high.argmax()]
    assert thin.mean[12] == pytest.approx(0.5)
    assert (thin.begin[0], thin.end[-1]) == (0.0, 10_000.0)


def test_an_envelope_of_few_is_what_they_are() -> None:
    """Nothing is put together that fits."""
    values = np.array([3.0, 1.0, 2.0])
    thin = envelope(values, values, values, 3)
    assert thin.mean.tolist() == thin.low.tolist() == thin.high.tolist() == [3.0, 1.0, 2.0]


def test_an_envelopes_mean_is_weighted_by_time() -> None:
    """A long interval counts for more than a short one."""
    begin, end = np.array([0.0, 9.0, 10.0]), np.array([9.0, 10.0, 20.0])
    assert envelope(begin, end, np.array([1.0, 11.0, 5.0]), 1).mean.tolist() == [pytest.approx(3.5)]


def test_spans_that_touch_are_one() -> None:
    """A gap that is larger than asked for is kept."""
    assert merged([(4, 5), (0, 1), (1.5, 2), (0.2, 0.4)], 0.5) == [(0, 2), (4, 5)]
    assert merged([], 1) == []


def test_coverage_is_the_share_of_time() -> None:
    """Spans that overlap count once, and what lies between them not at all."""
    shares = coverage([(0, 1), (0.5, 1.5), (3, 4)], np.array([0.0, 1.0, 2.0, 3.0, 5.0]))
    assert shares.tolist() == [1.0, 0.5, 0.0, 0.5]


@pytest.mark.parametrize("count", [1, 3, 300, 301, 100_000])
def test_ranks_keep_both_ends_and_the_tail(count: int) -> None:
    """They rise, are no more than asked for, and have some in the last thousandth of very many."""
    chosen = ranks(count, 300)
    assert (chosen[0], chosen[-1]) == (0, count - 1)
    assert len(chosen) == min(count, len(chosen)) <= 300
    assert (np.diff(chosen) > 0).all()
    assert count < 100_000 or (chosen >= 0.999 * count).sum() > 20


def test_the_steps_that_work_most_are_drawn() -> None:
    """Beyond the limit, those with the least are left out."""
    assert longest(["a", "b", "c"], [1.0, 3.0, 2.0], 2) == {"b", "c"}


@pytest.mark.parametrize(
    "values",
    [[0.0], [5.0] * 4, [1e-9, 2e-9], [1e300, -1e300, 3.0], [-1.0, -2.0, -3.0], [float(n % 13) for n in range(5000)]],
    ids=["zero", "equal", "tiny", "huge", "negative", "many"],
)
def test_any_values_can_be_drawn(values: list[float]) -> None:
    """One value or thousands, equal or far apart: the plot is whole and small, and no warning is given."""
    with np.errstate(over="ignore"):
        metric = summary(values).model_copy(update={"ci95": None})
    svg = draw_svg(plot_values(metric, range(1, len(values) + 1)), SIZE, "label", "key")
    assert ET.fromstring(svg).tag.endswith("svg")
    assert len(svg) < 60_000


@pytest.mark.parametrize(
    "values",
    [[1.0], [1.0, 2.0, 3.0], [4.0] * 100, [5e-324, 2.0], [-5.0, 1000.0], list(np.geomspace(1e-3, 1e6, 100_000))],
    ids=["one", "three", "equal", "subnormal", "negative", "many"],
)
def test_any_distribution_can_be_drawn(values: list[float]) -> None:
    """From one sample to a hundred thousand over nine decades."""
    line = Line("op=get", np.array(values))
    svg = draw_svg(plot_distribution([line, line], "ms"), SIZE, "label", "key")
    assert ET.fromstring(svg).tag.endswith("svg")
    assert len(svg) < 60_000
    assert "mathdefault" not in svg


def test_ids_of_two_plots_differ() -> None:
    """The same plot under two keys shares no id, and each refers to its own."""
    metric = summary([1.0, 2.0, 4.0])
    one, other = (draw_svg(plot_values(metric, [1, 2, 3]), SIZE, "label", key) for key in ("one", "other"))
    assert one.replace('"one-', '"other-').replace("#one-", "#other-") == other
    assert 'id="one-' in one
    assert "id=" not in one.replace('id="one-', "")


def test_a_label_with_signs_of_markup_is_a_label() -> None:
    """Names come from programs: quotes and tags stay inside the attribute."""
    label = 'say "hi" <b>&amp;</b>'
    svg = draw_svg(plot_values(summary([1.0]), [1]), SIZE, label, "key")
    assert ET.fromstring(svg).get("aria-label") == label


@pytest.mark.parametrize(("name", "shown"), [("rate", "rate"), ("_rate", " _rate"), ("x" * 60, "x" * 47 + "…")])
def test_names_beside_plots_are_legible(name: str, shown: str) -> None:
    """A long one is cut, and one that begins with an underscore is not hidden."""
    assert legible(name) == shown


@pytest.mark.long
@pytest.mark.parametrize("count", [1, 2, 100_000])
def test_usage_stays_small(count: int) -> None:
    """A plot of two hundred thousand samples is no larger than one of some hundreds."""
    usage = [
        UsageSample(step, 0.5 * number, 0.5, float(number % 3), None, 2**20 * (number % 7), 1)
        for number in range(count)
        for step in ("server", "client")
    ]
    svg = draw_svg(plot_usage(usage, 0.0, [(0.0, 1.0)]), (12.0, 4.6), "label", "key")
    assert len(svg) < 250_000


def test_usage_of_many_steps_draws_those_with_the_most_cpu() -> None:
    """Six lines can be told apart; the ninth would take the colour of the third."""
    usage = [UsageSample(f"s{number}", 1.0, 1.0, float(number), 0.0, 1, 1) for number in range(9)]
    svg = draw_svg(plot_usage(usage, 0.0), (12.0, 4.6), "label", "key")
    assert [f">s{number}<" in svg for number in range(9)] == [False] * 3 + [True] * 6


@pytest.mark.long
def test_png_plots_are_images_of_the_run(new_folder: NewFolder, single_node: str) -> None:
    """There is one of each kind, 900 pixels wide and below 60 kB, with ordinary colours on white."""
    folder = new_folder(single_node)
    rng = np.random.default_rng(1)
    groups: dict[Labels, list[float]] = {(("op", str(op)),): list(rng.lognormal(size=50)) for op in range(15)}
    write_run(folder, [groups] * 20, warmup=1)
    plots = png_plots(folder)
    assert set(plots) == {"values", "distribution", "usage", "timeline"}
    for data in plots.values():
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        assert struct.unpack(">I", data[16:20]) == (900,)
        assert len(data) < 60_000


def test_png_plots_of_a_run_without_results_are_none(new_folder: NewFolder, single_node: str) -> None:
    """What a run has nothing to show for is left out."""
    folder = new_folder(single_node)
    folder.write_record(
        RunRecord(run_id="x", benchmark="b", strategy="s", engine="i", backend="r", status="running", driver={})
    )
    assert png_plots(folder) == {}
