"""A flow run in a pod, by Prefect's worker, comes to what the command line comes to on the same cluster."""

from __future__ import annotations

import json

import pytest

from support.claims import Claim
from support.lab import Lab
from support.parity import CASES, shape, shape_here
from support.prefect_cluster import PrefectCluster
from windtunnel.engines.prefect.deployment import KUBERNETES_POOL

FLOW_RUN_SECONDS = 300.0


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES)
def test_a_deployed_benchmark_gives_what_the_reference_gives(
    lab: Lab, cluster: PrefectCluster, claim: Claim, case: str
) -> None:
    """Each strategy: events, phases, logs, artifacts, metrics and verdict are the inline engine's."""
    text = CASES[case]()
    reference = lab.run(text, "--backend", "kubernetes")
    assert reference.exit_code == 0, reference.stderr

    (cluster.path / f"{case}.toml").write_text(text)
    named = ("--set", f"benchmark.name={case}", "--set", f"output.store={claim.store}")
    deployed = cluster.windtunnel("deploy", f"{case}.toml", "--pool", KUBERNETES_POOL, *named, "--json")
    assert deployed.returncode == 0, deployed.stderr
    run = cluster.start(json.loads(deployed.stdout)["name"])
    flow_run = cluster.final(run, FLOW_RUN_SECONDS)
    folder = flow_run["name"]

    assert (flow_run["state"]["name"], flow_run["run_count"]) == ("Completed", 1), cluster.log(run)
    record = json.loads(claim.read(f"{folder}/run.json"))
    lines = [json.loads(line) for line in claim.read(f"{folder}/events.jsonl").splitlines()]
    files = [path.removeprefix(f"{folder}/") for path in claim.sums() if path.startswith(f"{folder}/")]
    assert (record["engine"], record["backend"]) == ("prefect", "kubernetes")
    assert shape(record, lines, files) == shape_here(reference.record, lab.only_run())
