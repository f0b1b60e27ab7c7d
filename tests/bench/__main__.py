"""What Windtunnel adds to the same work done by hand: ``make bench``.

Both ways are measured in turn, round by round, in one run: so a machine that is slow for
a while is slow for both. Printed are medians, each as soon as it is known. A limit that is
missed ends with status 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from rich.console import Console

from bench.engines import compare_engines
from bench.figures import compare
from bench.scenarios import scenarios
from bench.ways import compare_ways


def main() -> int:
    """Measure everything, and print it line by line."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--rounds", type=int, default=10)
    options.add_argument("--only", default="", help="part of a scenario's name")
    arguments = options.parse_args()
    tell, say = partial(print, flush=True), partial(print, file=sys.stderr, flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="windtunnel-bench-") as folder:
        chosen = (each for each in scenarios(Path(folder)) if arguments.only in each.name)
        missed = compare(chosen, arguments.rounds, tell, say)
    if arguments.only in "engines":
        Console(width=120).print(compare_engines(max(1, arguments.rounds // 3), say))
    if arguments.only in "ways" and (compared := compare_ways(max(1, arguments.rounds // 3), say)):
        table, is_met = compared
        Console(width=140).print(table)
        missed += not is_met
    print(f"medians of {arguments.rounds} interleaved rounds, {time.monotonic() - began:.0f} s in all")
    return 1 if missed else 0


sys.exit(main())
