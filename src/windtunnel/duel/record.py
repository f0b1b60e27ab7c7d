"""`duel.json`: what a duel has come to so far. A contract: fields are added, never changed or taken away."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from windtunnel.analysis.comparison.verdict import Word
from windtunnel.analysis.duel.design import Design
from windtunnel.analysis.duel.design import Side as SideName
from windtunnel.errors import UsageError
from windtunnel.run.record import Cause

RECORD = "duel.json"


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Contender(_Model):
    """What one side is: where its benchmark came from, and what tells its plan from another."""

    source: str
    overrides: list[str] = Field(default_factory=list)
    plan_digest: str


class Round(_Model):
    """One run of each side, the `first` one first; where it was lost, why.

    `runs` has their ids. `values` has each side's run value of each metric; none of a round that was lost.
    """

    number: int
    first: SideName
    runs: dict[SideName, str] = Field(default_factory=dict)
    values: dict[SideName, dict[str, float]] = Field(default_factory=dict)
    lost: str | None = None


class DesignRecord(_Model):
    """What was fixed before the first round; see `Design`, whose fields these are, with what follows from them."""

    rounds: int
    seed: int
    fixed: bool
    looks: list[int]
    level: float
    firsts: list[SideName]

    def to_design(self) -> Design:
        """Return the design that was fixed."""
        return Design(self.rounds, self.seed, is_fixed=self.fixed)


class DuelRecord(_Model):
    """A duel as its folder keeps it.

    `judgement` is what the last look said, as `Judgement` gives it; `units` has the metrics' units.
    """

    schema_version: Literal[1] = 1
    duel_id: str
    benchmark: str
    backend: str
    engine: str
    started: str
    finished: str | None = None
    status: Literal["running", "succeeded", "failed", "cancelled"] = "running"
    exit_code: int | None = None
    design: DesignRecord
    sides: dict[SideName, Contender]
    done: list[Round] = Field(default_factory=list)
    units: dict[str, str | None] = Field(default_factory=dict)
    verdict: Word | None = None
    judgement: dict[str, Any] | None = None
    differences: list[str] = Field(default_factory=list)
    cause: Cause | None = None


def read_duel(name: str, store: Path) -> DuelRecord:
    """Return the duel of a store by its id, or the last one for ``last``.

    Raises:
        UsageError: There is none.
    """
    found = sorted(path.parent.name for path in store.glob(f"*/{RECORD}"))
    chosen = found[-1:] if name == "last" else [each for each in found if each == name or each.startswith(name)]
    if len(chosen) != 1:
        raise UsageError(f"no duel {name!r} in {store}" if not chosen else f"{name!r} is the start of several duels")
    try:
        return DuelRecord.model_validate_json((store / chosen[0] / RECORD).read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(f"{store / chosen[0] / RECORD}: cannot be read: {error}") from None


def write_duel(record: DuelRecord, store: Path) -> Path:
    """Write a duel into its folder, whole or not at all; return the folder (UsageError if it cannot be written)."""
    folder = store / record.duel_id
    fresh = folder / f".{RECORD}.new"
    data: Mapping[str, Any] = record.model_dump(mode="json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with fresh.open("w", encoding="utf-8") as file:
            json.dump(data, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / RECORD)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise UsageError(f"cannot keep the duel in {folder}: {error.strerror}") from None
    return folder
