"""Run a benchmark inline and send this process a signal at its n-th event: ``driver.py FILE N SIGNAL [BACKEND]``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from windtunnel.backends import make_backend
from windtunnel.benchmark import load
from windtunnel.engines.inline import run
from windtunnel.engines.request import Request
from windtunnel.run.control import Control
from windtunnel.run.events import Event, EventType
from windtunnel.strategies import make_plan

file, at, name = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
backend = sys.argv[4] if len(sys.argv) > 4 else "process"
seen: list[Event] = []


def observe(event: Event) -> None:
    """Count events, but for notes, which a busy machine has more of; at the chosen one, send the signal."""
    if event.type is EventType.NOTE:
        return
    seen.append(event)
    print(event.type.value, event.step or "", flush=True)
    if len(seen) == at:
        os.kill(os.getpid(), signal.Signals[name])


loaded = load(file)
plan = make_plan(loaded.benchmark)
record = run(Request(loaded, plan, make_backend(backend), Path("runs"), Control.for_plan(plan), [observe]))
sys.exit(record.exit_code)
