"""Many samples in little memory: a run may have millions of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.run.folder import RunFolder
from windtunnel.run.samples import Kind, Sample, Samples

names = st.sampled_from("abc")
samples = st.builds(
    Sample,
    names,
    st.floats(allow_nan=False, allow_infinity=False),
    st.none() | names,
    st.integers(1, 3),
    st.floats(0, 1e9),
    names,
    st.dictionaries(names, names, max_size=2),
    warmup=st.booleans(),
)


@given(st.lists(samples), st.slices(9))
def test_they_are_what_was_put_in(given_: list[Sample], some: slice) -> None:
    """One by one, by place, by slice and in number, in the order in which they came."""
    kept = Samples(given_)
    assert list(kept) == given_
    assert kept[some] == given_[some]
    assert [kept[place] for place in range(-len(kept), len(kept))] == given_ * 2
    assert Samples.of(kept) is kept


@given(st.lists(samples))
def test_they_are_split_by_what_they_have_in_common(given_: list[Sample]) -> None:
    """Each group has its own in their order, and the groups come in the order of their first ones."""

    def group_of(kind: Kind | Sample) -> str | None:
        return None if kind.unit is None else kind.metric + kind.unit

    expected: dict[str, Sequence[Sample]] = {}
    for sample in given_:
        if name := group_of(sample):
            expected[name] = [*expected.get(name, []), sample]
    found = {name: list(group) for name, group in Samples(given_).split(group_of).items()}
    assert found == expected
    assert list(found) == list(expected)
    assert list(Samples(given_).select(lambda kind: kind.warmup)) == [sample for sample in given_ if sample.warmup]


def test_a_newer_versions_keys_are_passed_over() -> None:
    """Fields are added: an older version reads what it knows."""
    line = Sample("rate", 1.5, None, 1, 5.0, "client").to_json() | {"host": "a"}
    assert Sample.from_json(line) == Sample("rate", 1.5, None, 1, 5.0, "client")


@pytest.mark.parametrize("change", [{"value": None}, {"value": "x"}, {"labels": 7}, {"iteration": "one"}])
def test_what_is_no_sample_is_left_out_and_counted(tmp_path: Path, change: dict[str, object]) -> None:
    """A damaged line hides none of the others."""
    good = Sample("rate", 1.5, None, 1, 5.0, "client").to_json()
    lines = [
        json.dumps(good),
        '{"cut',
        "[]",
        json.dumps(good | change),
        json.dumps({"metric": "rate"}),
        json.dumps(good),
    ]
    (tmp_path / "samples.jsonl").write_text("\n".join([*lines, '{"last']), encoding="utf-8")
    folder = RunFolder(tmp_path)
    assert [sample.value for sample in folder.samples()] == [1.5, 1.5]
    assert folder.damaged == {"samples.jsonl": 4}
    (tmp_path / "samples.jsonl").write_text("", encoding="utf-8")
    assert list(folder.samples()) == []
    assert folder.damaged == {}


MILLIONS = """
import re, sys
from pathlib import Path
from windtunnel.analysis.failures import find_failures
from windtunnel.analysis.flaws import find_flaws
from windtunnel.analysis.statistics import summarise
from windtunnel.plan import Job, Plan, Program
from windtunnel.run.folder import RunFolder
from windtunnel.run.journal import Journal
from windtunnel.run.samples import Sample

count = 1_000_000
journal = Journal(RunFolder(Path(sys.argv[1])))
for start in range(0, count, 10_000):
    moments = (start + place for place in range(10_000))
    journal.add_samples([Sample("latency", n * 1e-3, "ms", 1 + n % 3, 1e9 + n * 1e-3, "client") for n in moments])
client = Job(name="client", program=Program(command=("true",)))
plan = Plan(benchmark="b", strategy="single-node", timeout=1, steps=(client,))
metrics = summarise(journal.samples, plan)
find_flaws(journal.samples, [], metrics, find_failures(journal.samples, [], plan))
assert metrics["latency"].samples == count
assert len(RunFolder(Path(sys.argv[1])).samples()) == count
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_million_samples_cost_little_memory(tmp_path: Path) -> None:
    """Written down, summarised and read back, all in one process of less than 200 MB."""
    command = [sys.executable, "-c", MILLIONS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert int(done.stdout) < 200
