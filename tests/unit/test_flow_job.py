"""A flow in a Job of its own: what it refuses before anything is started."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from support.lab import client_server
from windtunnel.addresses import ObjectAddress
from windtunnel.backends import make_backend
from windtunnel.backends.base import longest_seconds
from windtunnel.backends.kubernetes.settings import POD
from windtunnel.benchmark import parse
from windtunnel.engines.prefect.flow_job import check_in_pod, job_variables, refuse_losses
from windtunnel.engines.prefect.flow_run_state import AWAY_SECONDS
from windtunnel.engines.prefect.job_template import DEADLINE
from windtunnel.engines.prefect.sources import resolve
from windtunnel.engines.request import Request, make_request
from windtunnel.errors import DescriptorError, Unsupported, UsageError
from windtunnel.plan import InputFile
from windtunnel.strategies import make_plan

LOADED = parse(client_server(), Path("benchmark.toml"))
PLAN = make_plan(LOADED.benchmark)
LONGEST = longest_seconds(PLAN)


@pytest.fixture
def request_() -> Request:
    """A request whose run is kept in a bucket."""
    return replace(make_request(LOADED, PLAN, make_backend("recording")), remote=ObjectAddress("bucket"))


def test_a_run_whose_folder_goes_with_its_pod_is_not_begun(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a pod a folder is as good as any other store."""
    in_folder = replace(request_, remote=None)
    refuse_losses(in_folder)
    monkeypatch.setenv(POD, "flow-1")
    with pytest.raises(UsageError, match=r"store runs: a folder of the flow's pod .* s3://bucket/prefix or pvc://"):
        refuse_losses(in_folder)
    refuse_losses(request_)


@pytest.mark.parametrize(("src", "is_there"), [("data.csv", False), ("file:///data.csv", False), ("s3://b/k", True)])
def test_an_input_is_no_file_of_the_machine_that_deploys(src: str, is_there: bool) -> None:  # noqa: FBT001 - a case
    """However its path is written: the pod that fetches inputs is elsewhere."""
    plan = replace(PLAN, inputs=(InputFile(src=src, path="data"),))
    refused = pytest.raises(Unsupported, match=f"input {src}: a file of this machine is not in the flow's pod")
    with nullcontext() if is_there else refused:
        check_in_pod(plan, make_backend("recording"), ObjectAddress("bucket"))


def test_a_run_that_may_outlive_its_job_is_not_begun(request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment's overrides may make it longer than the Job that was planned for it."""
    monkeypatch.setenv(POD, "flow-1")
    monkeypatch.setenv(DEADLINE, str(LONGEST - 1))
    with pytest.raises(UsageError, match=f"may take {LONGEST:g} s, and Kubernetes ends its Job after {LONGEST - 1:g}"):
        refuse_losses(request_)
    monkeypatch.setenv(DEADLINE, str(LONGEST))
    refuse_losses(request_)


def test_a_jobs_deadline_follows_from_what_the_benchmark_may_take() -> None:
    """Its pod's start and end are none of the benchmark's time; what is not said is the pool's to say."""
    assert job_variables(PLAN, None, None).keys() == {"deadline"}
    around = 660 + AWAY_SECONDS
    assert LONGEST + around <= job_variables(PLAN, None, None)["deadline"] < LONGEST + around + 1
    assert job_variables(PLAN, "bench:2", "lab").items() >= {"image": "bench:2", "namespace": "lab"}.items()


def test_a_relative_file_is_not_looked_for_in_a_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody put it there; a file that the pod has mounted is one with an absolute path."""
    monkeypatch.setenv(POD, "flow-1")
    with pytest.raises(UsageError, match=r"file bench.toml: the flow's pod starts in an empty folder"):
        resolve({"file": "bench.toml"}, [])
    with pytest.raises(DescriptorError, match=r"/mounted/bench.toml: No such file"):
        resolve({"file": "/mounted/bench.toml"}, [])
