"""A run's folder: written as things happen, so that a killed run keeps what it measured."""

from __future__ import annotations

import json
import os
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

from windtunnel.errors import UsageError
from windtunnel.plan import Plan
from windtunnel.printable import printable
from windtunnel.run.output import open_file, open_to_append
from windtunnel.run.record import WORDS, RunHead, RunRecord
from windtunnel.run.samples import Sample, Samples
from windtunnel.run.spare import Spare
from windtunnel.secrets import Redaction

M = TypeVar("M", RunHead, RunRecord)
RECORD = "run.json"
_SPARE = f".{RECORD}.spare.tmp"
_TAIL = 16_384
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def new_run_id(benchmark: str) -> str:
    """Return an id that sorts by time and is a valid DNS label (63 characters at most)."""
    return f"{benchmark[:40]}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{token_hex(2)}"


class RunFolder:
    """One run on disk.

    Attributes:
        path: The folder, absolute.
        run_id: The run's id, which is the folder's name.
        redaction: What is kept out of all that is written into it.
        damaged: How many lines of each file could not be read when it was read last.
    """

    def __init__(self, path: Path, redaction: Redaction | None = None) -> None:
        self.path = path.absolute()
        self.run_id = self.path.name
        self.redaction = redaction or Redaction()
        self._files: dict[str, FileIO] = {}
        self._masked: dict[Path, int] = {}
        self.damaged = Counter[str]()
        self._spare: Spare | None = None
        self._lock = threading.Lock()

    @classmethod
    def create(cls, store: Path, plan: Plan, text: str, run_id: str | None = None) -> RunFolder:
        """Make a new run's folder in `store`, with the benchmark's text and its plan; under `run_id`, if it has one.

        Raises:
            UsageError: The store cannot be written.
        """
        redaction = _redaction(plan, text)
        try:
            store.mkdir(parents=True, exist_ok=True)
            while True:
                folder = cls(store / (run_id or new_run_id(plan.benchmark)), redaction)
                # Observers find the run by these, and people find what is called after it.
                folder.redaction |= Redaction(names=frozenset({folder.run_id, str(folder.path)}))
                try:
                    folder.path.mkdir()
                    break
                except FileExistsError:
                    if run_id:
                        raise
            for name in ("logs", "artifacts"):
                (folder.path / name).mkdir()
            (folder.path / "benchmark.toml").write_text(redaction.toml(text), encoding="utf-8")
            folder.write_json("plan.json", redaction.document(plan.to_json()))
            folder._spare = Spare(folder.path / _SPARE, sum(job.warmup + job.repeats for job in plan.jobs))
        except OSError as error:
            raise UsageError(f"cannot keep results in {store}: {error.strerror}") from None
        return folder

    def log(self, step: str, iteration: int | None = None) -> Path:
        """Return where the output of a step (in one iteration) is kept."""
        return self.path / "logs" / (f"{step}.log" if iteration is None else f"{step}.{iteration}.log")

    def mask(self, path: Path | None = None) -> None:
        """Overwrite secrets in what steps wrote: in one file, or in all logs and artifacts; each byte is read once."""
        below = (each for name in ("logs", "artifacts") for each in (self.path / name).rglob("*"))
        for file in [path] if path else below:
            with suppress(OSError):  # a log that its step has taken away has no secrets either
                is_text = file.is_relative_to(self.path / "logs")
                self._masked[file] = self.redaction.mask(file, self._masked.get(file, 0), is_text=is_text)

    def append(self, name: str, *lines: Mapping[str, Any]) -> None:
        """Append lines of JSON to ``<name>.jsonl``, each whole or not at all, and hand them to the system at once."""
        data = "".join(f"{_encode(line)}\n" for line in lines).encode()
        with self._lock:
            if name not in self._files:
                self._files[name] = open_to_append(self.path / f"{name}.jsonl")
            file = self._files[name]
            size, written = file.tell(), 0
            try:
                while written < len(data):
                    written += file.write(data[written:])
            except OSError:
                # The part of a line that a full disk still took would spoil the next one.
                with suppress(OSError):
                    file.truncate(size + data.rfind(b"\n", 0, written) + 1)
                raise

    def lines(self, name: str) -> Iterator[dict[str, Any]]:
        """Yield what ``<name>.jsonl`` holds; a last line that a kill cut short is left out.

        A line in the middle that is no JSON object is left out, too, and counted in `damaged`.
        """
        path = self.path / f"{name}.jsonl"
        self.damaged.pop(path.name, None)
        if not path.exists():
            return
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                if not text.endswith("\n"):
                    return
                try:
                    line = json.loads(text)
                except (ValueError, RecursionError):
                    line = None
                if isinstance(line, dict):
                    yield line
                else:
                    self.damaged[path.name] += 1

    @property
    def is_full(self) -> bool:
        """Whether the disk takes no more: then what steps print may be lost, too."""
        room = os.statvfs(self.path)
        free = room.f_bavail if os.geteuid() else room.f_bfree  # root may use what is reserved for it
        return room.f_blocks > 0 and free == 0

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield what ``events.jsonl`` holds, as `lines` does; each has a type."""
        for line in self.lines("events"):
            if isinstance(line.get("type"), str):
                yield line
            else:
                self.damaged["events.jsonl"] += 1

    def samples(self) -> Samples:
        """Return what ``samples.jsonl`` holds, as `lines` does."""
        samples, damaged = Samples(), 0
        for line in self.lines("samples"):
            try:
                samples.append(Sample.from_json(line))
            except ValueError:
                damaged += 1
        if damaged:
            self.damaged["samples.jsonl"] += damaged
        return samples

    def write_json(self, name: str, data: object) -> None:
        """Write data as ``<name>``, whole or not at all."""
        self.write_text(name, json.dumps(data, indent=2) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write ``<name>`` whole or not at all; what UTF-8 does not have is replaced."""
        temporary = self.path / f".{name}.tmp"
        try:
            temporary.write_text(text, encoding="utf-8", errors="replace")
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        temporary.replace(self.path / name)

    def write_record(self, record: RunRecord) -> None:
        """Write ``run.json``; how a run ended is written also where the disk is full, if need be without its metrics.

        Raises:
            OSError: The record cannot be written.
        """
        try:
            self.write_json(RECORD, record.model_dump(mode="json"))
        except OSError:
            if record.status == "running" or self._spare is None:
                raise
            self._write_last(record, self._spare)

    def _write_last(self, record: RunRecord, spare: Spare) -> None:
        reasons = [
            *record.reasons,
            "the disk was full: the metrics are not here, samples.jsonl has the samples",
        ]
        short = record.model_copy(update={"metrics": {}, "usage": {}, "phases": [], "reasons": reasons})
        try:
            spare.become(self.path / RECORD, record.model_dump_json(indent=2) + "\n")
        except OSError:
            spare.become(self.path / RECORD, short.model_dump_json(indent=2) + "\n")

    def read_record(self) -> RunRecord:
        """Return what ``run.json`` says.

        Raises:
            UsageError: There is no record, or it cannot be read.
        """
        return self._read(RunRecord)

    def read_head(self) -> RunHead:
        """Return what ``run.json`` says of the run as a whole (errors as `read_record`)."""
        return self._read(RunHead)

    def _read(self, kind: type[M]) -> M:
        path = self.path / RECORD
        try:
            return kind.model_validate_json(path.read_bytes())
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: not a run's record ({error})") from None

    def close(self) -> None:
        """Close the files that are appended to, and give back what was reserved."""
        if self._spare:
            self._spare.remove()
        for file in self._files.values():
            file.close()
        self._files.clear()


def _redaction(plan: Plan, text: str) -> Redaction:
    """Return what a run keeps secret: of its file with all combinations of a matrix, its plan, and the environment."""
    metrics = {metric.name for job in plan.jobs for metric in job.metrics if metric.name}
    names = {plan.benchmark, plan.strategy, *(step.name for step in plan.steps), *metrics, *WORDS}
    return Redaction.of([tomllib.loads(text), plan.to_json()], names) | Redaction.of_variables(os.environ)


def tail(path: Path, lines: int = 10) -> tuple[str, ...]:
    """Return the last lines of a text file, oldest first; nothing if it does not exist."""
    try:
        with open_file(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            text = file.read(_TAIL).decode(errors="replace")
    except OSError:
        return ()
    visible = [printable(line) for line in text.splitlines()]
    return tuple([line for line in visible if line.strip()][-lines:])
