"""Large runs and large stores: what they cost in memory, and how long a person waits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench.scenario import Scenario

GIGABYTE = """
spec_version = "1"
[benchmark]
name = "large"
strategy = "single-node"
[client]
command = ["sh", "-c", "yes 'a line of a log, of which there are very many' | head -c 1000000000; echo; echo rate=7"]
[[metrics]]
name = "rate"
pattern = "^rate=([0-9]+)$"
"""
WRITE = """
import json, os
with open(os.environ["WINDTUNNEL_METRICS"], "w") as file:
    for n in range(COUNT):
        labels = {"op": f"op{n % SERIES}"} if SERIES > 1 else {}
        file.write(json.dumps({"metric": "latency", "value": n % 997 / 10, "unit": "ms", "labels": labels}) + "\\n")
"""
# A process that was started by a large one has that one's memory in its `ru_maxrss`.
MEASURED = """
import atexit, os, re, sys
from windtunnel.cli import main

def tell():
    peak = re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
    sys.stderr.write(f"\\n{sum(os.times()[:2])} {peak}\\n")

atexit.register(tell)
sys.argv[0] = "windtunnel"
sys.exit(main())
"""
MILLIONS, SERIES, RUNS = 2_000_000, 20_000, 10_000


def scenarios(folder: Path) -> Iterator[Scenario]:
    """Yield every scenario; by hand it is nothing, so that what is added is what it costs."""
    large = folder / "large"
    (large / "big").mkdir(parents=True)
    gigabyte = partial(_run, large, "gigabyte", GIGABYTE)
    millions = partial(_run, large, "millions", _writing(MILLIONS, 1))
    yield _costs("memory for a gigabyte of output", "MB", 100, lambda: gigabyte()[1])
    yield _costs("memory for two million samples", "MB", 300, lambda: millions()[1])
    _run(large, "series", _writing(SERIES, SERIES))
    for command in ("show", "report"):
        words = [command, "last", "--store", "series"]
        yield _costs(f"{command} of {SERIES:,} series", "s", 2, partial(_seconds, words, large))
    _copy_runs(large)
    for words in (["runs"], ["runs", "--json"], ["show", "last"]):
        yield _costs(
            f"{' '.join(words)} of {RUNS:,} runs", "s", 2, partial(_seconds, [*words, "--store", "big"], large)
        )


def _costs(name: str, unit: str, limit: float, ours: Callable[[], float]) -> Scenario:
    return Scenario(name, unit, limit, ours, lambda: 0.0, rounds=3)


def _writing(count: int, series: int) -> str:
    code = WRITE.replace("COUNT", str(count)).replace("SERIES", str(series))
    head, _, _ = GIGABYTE.partition("command")
    return f"{head}command = {json.dumps([sys.executable, '-c', code])}\n"


def _run(folder: Path, name: str, text: str) -> tuple[float, float]:
    (folder / f"{name}.toml").write_text(f'{text}\n[output]\nstore = "{name}"\n', encoding="utf-8")
    return _measure(["run", f"{name}.toml"], folder)


def _seconds(words: list[str], folder: Path) -> float:
    return _measure(words, folder)[0]


def _measure(words: list[str], folder: Path) -> tuple[float, float]:
    """Return the seconds of CPU that a command takes, and how many megabytes it has at most, both without children."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    seconds, kilobytes = done.stderr.split()[-2:]
    return float(seconds), int(kilobytes) / 1024


def _copy_runs(folder: Path) -> None:
    (first,) = (folder / "series").glob("*/run.json")
    record = json.loads(first.read_text(encoding="utf-8"))
    record["metrics"] = dict(list(record["metrics"].items())[:2])
    for number in range(RUNS):
        place = folder / "big" / f"run-{number:05}"
        place.mkdir()
        started = f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z"
        text = json.dumps(record | {"run_id": place.name, "started": started}, indent=2)
        (place / "run.json").write_text(text, encoding="utf-8")
