"""HPC Challenge: the summary at the end of ``hpccoutf.txt``, which rank 0 writes; the last one counts.

What the numbers mean (1.5):

- hpl has the label ``n``, the order of the matrix: hpcc that cannot read ``hpccinf.txt`` says so, measures its defaults
  and calls that a success. Such an output has no measurements here, nor has one in which a result failed its check.
- The label ``mode`` tells who did what: *single*, one rank while the others wait; *star*, the mean of all ranks, each
  for itself at once; *mpi*, all ranks together.
- Ping-pong latency and bandwidth are those of the pairs of ranks: the fastest, the mean, the slowest. Those of a ring
  are of all ranks at once, for each of them; ``order`` is that of the ranks in it.
- A result that is not positive is of a test that was not run, or did not succeed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from windtunnel.parsers.base import Measurement, MetricInfo, Parser
from windtunnel.parsers.text import NUMBER

_METRICS = {
    "hpl": MetricInfo("Tflop/s", "higher"),
    "dgemm": MetricInfo("Gflop/s", "higher"),
    "fft": MetricInfo("Gflop/s", "higher"),
    "ptrans": MetricInfo("GB/s", "higher"),
    "random_access": MetricInfo("Gup/s", "higher"),
    "stream_copy": MetricInfo("GB/s", "higher"),
    "stream_scale": MetricInfo("GB/s", "higher"),
    "stream_add": MetricInfo("GB/s", "higher"),
    "stream_triad": MetricInfo("GB/s", "higher"),
    "ping_pong_latency_min": MetricInfo("us", "lower"),
    "ping_pong_latency_mean": MetricInfo("us", "lower"),
    "ping_pong_latency_max": MetricInfo("us", "lower"),
    "ping_pong_bandwidth_min": MetricInfo("GB/s", "higher"),
    "ping_pong_bandwidth_mean": MetricInfo("GB/s", "higher"),
    "ping_pong_bandwidth_max": MetricInfo("GB/s", "higher"),
    "ring_latency": MetricInfo("us", "lower"),
    "ring_bandwidth": MetricInfo("GB/s", "higher"),
}
_MODES = {"Single": "single", "Star": "star", "MPI": "mpi"}
_ORDERS = {"NaturallyOrdered": "natural", "RandomlyOrdered": "random"}
_KEYS: dict[str, tuple[str, dict[str, str]]] = {
    "PTRANS_GBs": ("ptrans", {}),
    **{f"{mode}DGEMM_Gflops": ("dgemm", {"mode": _MODES[mode]}) for mode in ("Single", "Star")},
    **{f"{mode}FFT_Gflops": ("fft", {"mode": label}) for mode, label in _MODES.items()},
    **{f"{mode}RandomAccess_GUPs": ("random_access", {"mode": label}) for mode, label in _MODES.items()},
    **{
        f"{mode}STREAM_{act}": (f"stream_{act.lower()}", {"mode": _MODES[mode]})
        for mode in ("Single", "Star")
        for act in ("Copy", "Scale", "Add", "Triad")
    },
    **{
        f"{printed}PingPong{kind}": (f"ping_pong_{kind.partition('_')[0].lower()}_{name}", {})
        for printed, name in {"Min": "min", "Avg": "mean", "Max": "max"}.items()
        for kind in ("Latency_usec", "Bandwidth_GBytes")
    },
    **{
        f"{order}Ring{kind}": (f"ring_{kind.partition('_')[0].lower()}", {"order": label})
        for order, label in _ORDERS.items()
        for kind in ("Latency_usec", "Bandwidth_GBytes")
    },
}
_START = "This is the DARPA/DOE HPC Challenge Benchmark version "
_SUMMARY = "Begin of Summary section."
_END = "End of Summary section."
_ROW = re.compile(rf"([A-Za-z_]+)=({NUMBER}(?:e[+-]\d\d)?)$")
_REFUSED = re.compile(r"HPL (?:ERROR|WARNING) from process|.{0,200}(?:\bFAILED\b|\(failed\))")


def _parse(lines: Iterable[str]) -> Iterator[Measurement]:
    rows: dict[str, float] = {}
    whole: dict[str, float] = {}
    is_refused = is_summary = False
    for line in lines:
        if line.startswith(_START):
            rows, whole, is_summary = {}, {}, False
        elif _REFUSED.match(line):
            is_refused = True
        elif line.startswith(_SUMMARY):
            is_summary = True
        elif line.startswith(_END):
            # What is refused is told on the way, or before: hpcc writes into a file that is printed afterwards.
            whole, is_refused, is_summary = {} if is_refused else rows, False, False
        elif is_summary and (match := _ROW.match(line)):
            rows[match[1]] = float(match[2])
    if whole.get("Success"):
        yield from _measure(whole)


def _measure(rows: dict[str, float]) -> Iterator[Measurement]:
    if "HPL_N" in rows and rows.get("HPL_Tflops"):
        yield Measurement("hpl", rows["HPL_Tflops"], _METRICS["hpl"].unit, {"n": f"{rows['HPL_N']:.0f}"})
    for key, (metric, labels) in _KEYS.items():
        if rows.get(key):
            yield Measurement(metric, rows[key], _METRICS[metric].unit, dict(labels))


PARSER = Parser("hpcc", _METRICS, _parse)
